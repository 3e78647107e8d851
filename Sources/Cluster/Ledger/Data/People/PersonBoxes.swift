import Crypto
import Files
import Foundation
import GRDB
import Messages
import Recommendation

/// What workers computed for a person's prompts, by the prompts' digests: sealed with the person.
///
/// Bytes: of each prompt the digest's first eight bytes, then `width` 32-bit floats; sorted by digest.
struct PersonBox: Equatable {
    /// Values of one prompt.
    var width: Int
    var values: [UInt64: [Float]] = [:]

    init(width: Int) { self.width = width }

    /// nil: no such bytes.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 4 else { return nil }
        width = (0..<4).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
        guard (1...1 << 20).contains(width) else { return nil }
        let size = 8 + 4 * width
        guard (bytes.count - 4) % size == 0 else { return nil }
        for start in stride(from: 4, to: bytes.count, by: size) {
            let digest = bytes[start..<start + 8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            guard let vector = LittleEndianFloats.floats(Data(bytes[start + 8..<start + size])) else { return nil }
            values[digest] = vector
        }
    }

    var bytes: [UInt8] {
        var bytes = (0..<4).map { UInt8(truncatingIfNeeded: width >> (8 * $0)) }
        for (digest, vector) in values.sorted(by: { $0.key < $1.key }) {
            withUnsafeBytes(of: digest.bigEndian) { bytes.append(contentsOf: $0) }
            bytes += LittleEndianFloats.bytes(vector)
        }
        return bytes
    }

    subscript(digest: String) -> [Float]? { digest.firstDigestBytes.flatMap { values[$0] } }

    mutating func set(_ vector: some Collection<Float>, of digest: String) {
        guard vector.count == width, let name = digest.firstDigestBytes else { return }
        values[name] = Array(vector)
    }

    /// Leaves out everything else.
    mutating func keep(_ digests: some Sequence<String>) {
        let kept = Set(digests.compactMap(\.firstDigestBytes))
        values = values.filter { kept.contains($0.key) }
    }
}

extension String {
    /// Of a digest in hexadecimal; nil: it is none.
    var firstDigestBytes: UInt64? { utf8.count == 64 ? UInt64(prefix(16), radix: 16) : nil }
}

extension StoredPrompt {
    /// Whether an embedding of it is of use: of reference prompts, and of training prompts that are still to be dealt out.
    func wantsEmbedding(_ isDataDependent: Bool) -> Bool {
        isReference || (isDataDependent && isUndealt)
    }
}

extension Ledger {
    static let boxContext = "box"

    private func openBox(_ sealed: Data, _ key: SymmetricKey, table: String, column: String) throws -> PersonBox {
        guard let bytes = try? SealedBytes.open(sealed, key: key, context: Self.boxContext),
            let box = PersonBox(bytes)
        else { throw LedgerError.corrupt(table: table, column: column, reason: "does not open") }
        return box
    }

    /// nil: none.
    func embeddings(of id: Int64, _ key: SymmetricKey, _ db: Database) throws -> PersonBox? {
        let statement = try db.cachedStatement(sql: "SELECT vectors FROM embeddings WHERE person = ?")
        return try Row.fetchOne(statement, arguments: [id]).map {
            try openBox(
                $0.value("vectors", in: "embeddings"), key.forEmbeddings, table: "embeddings", column: "vectors")
        }
    }

    func margins(of id: Int64, adapter: Int64, _ key: SymmetricKey, _ db: Database) throws -> PersonBox? {
        let statement = try db.cachedStatement(sql: "SELECT margins FROM margins WHERE person = ? AND adapter = ?")
        return try Row.fetchOne(statement, arguments: [id, adapter]).map {
            try openBox(
                $0.value("margins", in: "margins"), key.forMargins(adapter: adapter), table: "margins",
                column: "margins")
        }
    }

    /// Replaces the embeddings, and notes how many are missing; an empty box is none.
    func write(
        embeddings box: PersonBox?, of id: Int64, prompts: [StoredPrompt], _ key: SymmetricKey, _ db: Database
    ) throws {
        let isDataDependent = configuration.partition.isDataDependent
        let wanted = prompts.filter { $0.wantsEmbedding(isDataDependent) }.map(\.digest)
        let missing = wanted.count { box?[$0] == nil }
        noteValues(of: id)
        if let box, !box.values.isEmpty {
            try db.cachedStatement(sql: "INSERT OR REPLACE INTO embeddings (person, vectors) VALUES (?, ?)")
                .execute(arguments: [id, Self.sealed(box.bytes, key.forEmbeddings, Self.boxContext)])
        } else {
            try db.cachedStatement(sql: "DELETE FROM embeddings WHERE person = ?").execute(arguments: [id])
        }
        try db.cachedStatement(sql: "UPDATE people SET wanting = ? WHERE id = ? AND wanting <> ?")
            .execute(arguments: [missing, id, missing])
    }

    /// Replaces a person's margins under one adapter, and counts them with the adapter; an empty box is none.
    func write(
        margins box: PersonBox, before: Int, of id: Int64, adapter: Int64, _ key: SymmetricKey, _ db: Database
    ) throws {
        let count = box.values.count
        noteValues(of: id)
        if count == 0 {
            try db.cachedStatement(sql: "DELETE FROM margins WHERE person = ? AND adapter = ?")
                .execute(arguments: [id, adapter])
        } else {
            try db.cachedStatement(
                sql: "INSERT OR REPLACE INTO margins (person, adapter, prompts, margins) VALUES (?, ?, ?, ?)"
            ).execute(
                arguments: [
                    id, adapter, count, Self.sealed(box.bytes, key.forMargins(adapter: adapter), Self.boxContext),
                ]
            )
        }
        if count != before {
            try db.cachedStatement(sql: "UPDATE adapters SET margins = margins + ? WHERE serial = ?")
                .execute(arguments: [count - before, adapter])
        }
    }

    /// Leaves out what was computed for prompts that are gone; seals the rest under the person's key of now.
    func writeBoxes(_ change: PersonChange, id: Int64, key: SymmetricKey, _ db: Database) throws {
        let isDataDependent = configuration.partition.isDataDependent
        var box = try change.before.flatMap { try embeddings(of: id, $0.key, db) }
        box?.keep(change.new.filter { $0.wantsEmbedding(isDataDependent) }.map(\.digest))
        try write(embeddings: box, of: id, prompts: change.new, key, db)
        guard let before = change.before, change.old.contains(where: \.isReference) else { return }
        let reference = change.new.filter(\.isReference).map(\.digest)
        for adapter in try Int64.fetchAll(
            db.cachedStatement(sql: "SELECT adapter FROM margins WHERE person = ? ORDER BY adapter"), arguments: [id])
        {
            guard var box = try margins(of: id, adapter: adapter, before.key, db) else { continue }
            let count = box.values.count
            box.keep(reference)
            try write(margins: box, before: count, of: id, adapter: adapter, key, db)
        }
    }

    /// Counts the margins of somebody who goes out of the adapters' counts.
    func uncountMargins(of id: Int64, _ db: Database) throws {
        try db.cachedStatement(
            sql: """
                UPDATE adapters SET margins = margins - (
                    SELECT prompts FROM margins WHERE person = :id AND adapter = serial
                ) WHERE EXISTS (SELECT 1 FROM margins WHERE person = :id AND adapter = serial)
                """
        ).execute(arguments: ["id": id])
    }
}
