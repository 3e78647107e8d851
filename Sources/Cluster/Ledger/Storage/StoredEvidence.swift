import Files
import Foundation
import GRDB
import Messages

/// How hashes stand in columns that every request adds to: 32 bytes. Releases before wrote 64 hexadecimal digits, and so is
/// stored what is no hash, as somebody else may have written it.
enum StoredHash {
    static func value(_ text: String) -> DatabaseValue {
        guard let bytes = [UInt8](hexadecimal: text), bytes.count == 32, bytes.hexadecimal == text else {
            return text.databaseValue
        }
        return Data(bytes).databaseValue
    }
}

extension Row {
    /// In hexadecimal.
    func hash(_ column: String, in table: String) throws -> String {
        let stored: DatabaseValue = try decode(DatabaseValue.self, forColumn: column)
        guard case .blob(let bytes) = stored.storage else { return try value(column, in: table) }
        guard bytes.count == 32 else {
            throw LedgerError.corrupt(table: table, column: column, reason: "is no hash")
        }
        return bytes.hexadecimal
    }

    /// A text that is stored packed (a blob) where that is smaller.
    ///
    /// - Parameter subject: whose text it is, for errors.
    func packedText(_ column: String, in table: String, of subject: String) throws -> String {
        guard let bytes = try packedBytes(column, in: table, of: subject) else {
            return try value(column, in: table)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw LedgerError.corrupt(table: table, column: column, reason: "of \(subject) is no text")
        }
        return text
    }

    /// nil: it is not packed.
    func packedBytes(_ column: String, in table: String, of subject: String) throws -> Data? {
        let stored: DatabaseValue = try decode(DatabaseValue.self, forColumn: column)
        guard case .blob(let bytes) = stored.storage else { return nil }
        do throws(PackedText.Failure) {
            return try PackedText.unpack(bytes)
        } catch {
            throw LedgerError.corrupt(table: table, column: column, reason: "of \(subject) \(error)")
        }
    }
}
