import Files
import Foundation
import GRDB
import Messages

/// The one way in which values come out of a row: GRDB's subscripts end the process when a value is not what the schema
/// promises, and a damaged file keeps no promises.
///
/// All throw `LedgerError.corrupt`, which names table and column and never the value: it may say something about a person.
extension Row {
    func value<Value: DatabaseValueConvertible>(_ column: String, in table: String) throws -> Value {
        guard let value: Value = try optional(column, in: table) else {
            throw LedgerError.corrupt(table: table, column: column, reason: "is empty")
        }
        return value
    }

    /// nil: NULL.
    func optional<Value: DatabaseValueConvertible>(_ column: String, in table: String) throws -> Value? {
        let stored = try decode(DatabaseValue.self, forColumn: column)
        if stored.isNull { return nil }
        guard let value = Value.fromDatabaseValue(stored) else {
            throw LedgerError.corrupt(table: table, column: column, reason: "is no \(Value.self)")
        }
        return value
    }

    /// A number of things: not negative, and small enough that sums of them cannot overflow.
    func count(_ column: String, in table: String) throws -> Int {
        let value: Int = try value(column, in: table)
        guard (0...(1 << 40)).contains(value) else {
            throw LedgerError.corrupt(table: table, column: column, reason: "is no possible number")
        }
        return value
    }

    func date(_ column: String, in table: String) throws -> Date {
        guard let date = try optionalDate(column, in: table) else {
            throw LedgerError.corrupt(table: table, column: column, reason: "is empty")
        }
        return date
    }

    /// nil: NULL. Stored as milliseconds since 1970, from the year 0 to the year 9999.
    func optionalDate(_ column: String, in table: String) throws -> Date? {
        guard let milliseconds: Int64 = try optional(column, in: table) else { return nil }
        guard (-62_167_219_200_000...253_402_300_799_999).contains(milliseconds) else {
            throw LedgerError.corrupt(table: table, column: column, reason: "is no possible time")
        }
        return Date(milliseconds: milliseconds)
    }

    func choice<Value: RawRepresentable<String>>(_ column: String, in table: String) throws -> Value {
        guard let value: Value = try optionalChoice(column, in: table) else {
            throw LedgerError.corrupt(table: table, column: column, reason: "is empty")
        }
        return value
    }

    /// nil: NULL.
    func optionalChoice<Value: RawRepresentable<String>>(_ column: String, in table: String) throws -> Value? {
        guard let text: String = try optional(column, in: table) else { return nil }
        guard let value = Value(rawValue: text) else {
            throw LedgerError.corrupt(
                table: table, column: column, reason: "holds a word that this release does not know")
        }
        return value
    }

    func json<Value: Decodable>(_ column: String, in table: String) throws -> Value {
        guard let value: Value = try optionalJSON(column, in: table) else {
            throw LedgerError.corrupt(table: table, column: column, reason: "is empty")
        }
        return value
    }

    /// nil: NULL.
    func optionalJSON<Value: Decodable>(_ column: String, in table: String) throws -> Value? {
        guard let data: Data = try optional(column, in: table) else { return nil }
        do {
            return try JSONDecoder().decode(Value.self, from: data)
        } catch {
            throw LedgerError.corrupt(table: table, column: column, reason: "cannot be read")
        }
    }

    /// 32-bit floats.
    func floats(_ column: String, in table: String) throws -> [Float] {
        let data: Data = try value(column, in: table)
        guard let floats = LittleEndianFloats.floats(data) else {
            throw LedgerError.corrupt(table: table, column: column, reason: "is no list of numbers")
        }
        return floats
    }
}

extension [Row] {
    /// One vector a row, all of the same width.
    func vectors(_ column: String, in table: String) throws -> (values: [Float], width: Int) {
        var values: [Float] = []
        var width: Int?
        for row in self {
            let vector = try row.floats(column, in: table)
            guard vector.count == width ?? vector.count else {
                throw LedgerError.corrupt(table: table, column: column, reason: "holds vectors of different widths")
            }
            width = vector.count
            values += vector
        }
        return (values, width ?? 0)
    }
}

extension Int64 {
    /// The next of numbers that are given out once.
    func next(_ column: String, in table: String) throws -> Int64 {
        let (next, isFull) = addingReportingOverflow(1)
        guard self >= 0, !isFull else {
            throw LedgerError.corrupt(table: table, column: column, reason: "is no possible number")
        }
        return next
    }
}

extension LedgerError {
    static func corrupt(table: String, column: String, reason: String) -> LedgerError {
        .corrupt(path: "ledger.sqlite", reason: "\(table).\(column) \(reason)")
    }

    /// Of a value that GRDB could not read; its own text holds the whole row.
    init(_ error: RowDecodingError, path: String) {
        let text = "\(error)"
        let column = text.firstMatch(of: /column: "([^"]*)"/).map { String($0.1) } ?? "a column"
        let table = text.matches(of: /FROM ([a-z_]+)/).last.map { String($0.1) } ?? "a table"
        self = .corrupt(path: path, reason: "\(table).\(column) is not of the kind that is stored there")
    }
}
