import ClusterTestSupport
import Crypto
import Foundation
import Messages
import Recommendation
import Testing

@testable import Ledger

/// A folder of staged imports, gone with the test, and batches to put in it.
struct StagedFixture {
    static let importID = "movies/../2024"

    let directory: TestDirectory
    let imports: StagedImports
    let key = SymmetricKey(size: .bits256)

    init() throws {
        directory = try TestDirectory()
        imports = try StagedImports(folder: directory.file("staged"))
    }

    private static let lookupKey = SymmetricKey(raw: [UInt8](repeating: 7, count: 32))

    static func lookup(_ user: String) -> PersonLookup { PersonLookup(of: user, key: lookupKey) }

    static func row(
        _ user: String, _ item: String, timestamp: Int64 = 0, rating: Double = 4, ordinal: Int64 = 0
    ) -> StagedRow {
        StagedRow(
            lookup: lookup(user),
            interaction: Interaction(user: user, item: item, timestamp: timestamp, rating: rating, ordinal: ordinal))
    }

    static func batch(
        _ rows: [StagedRow], items: [StagedItem] = [], refused: [String] = []
    ) -> StagedBatch {
        StagedBatch(rows: rows, items: items, refusedItems: refused)
    }

    /// Batches of random people; their rows are numbered through.
    static func batches(seed: UInt64, sizes: [Int], people: Int) -> [StagedBatch] {
        var random = SeededNumbers(seed)
        var ordinal: Int64 = 0
        return sizes.map { size in
            batch(
                (0..<size).map { _ in
                    ordinal += 1
                    return row(
                        "person \(Int.random(in: 0..<people, using: &random))",
                        "film \(Int.random(in: 0..<500, using: &random))",
                        timestamp: Int64.random(in: 0..<2_000_000_000, using: &random),
                        rating: Double(Int.random(in: 0...10, using: &random)) / 2, ordinal: ordinal)
                })
        }
    }

    func write(_ batches: [StagedBatch], importID: String = importID) throws {
        for (sequence, batch) in batches.enumerated() {
            try imports.write(batch, importID: importID, sequence: sequence, key: key)
        }
    }

    func people(
        _ batches: some Sequence<Int>, importID: String = importID, rowsAtOnce: Int = 200_000
    ) throws -> [StagedPerson] {
        var people: [StagedPerson] = []
        try imports.forEachPerson(importID: importID, batches: batches, key: key, rowsAtOnce: rowsAtOnce) {
            people.append(StagedPerson(lookup: $0, rows: $1))
        }
        return people
    }

    func items(_ batches: some Sequence<Int>, importID: String = importID) throws -> [StagedItem] {
        var items: [StagedItem] = []
        try imports.forEachItem(importID: importID, batches: batches, key: key) { items.append($0) }
        return items
    }

    /// Everything that a batch holds, or the reason why it is refused.
    func refusal(_ sequence: Int = 0, importID: String = importID, key other: SymmetricKey? = nil) -> LedgerError? {
        do {
            let key = other ?? key
            try imports.forEachPerson(importID: importID, batches: [sequence], key: key) { _, _ in }
            try imports.forEachItem(importID: importID, batches: [sequence], key: key) { _ in }
            _ = try imports.refusedItems(importID: importID, batches: [sequence], key: key)
            return nil
        } catch {
            return error as? LedgerError ?? .storage(path: "", reason: "\(error)")
        }
    }

    func isCorrupt(_ sequence: Int = 0, importID: String = importID, key: SymmetricKey? = nil) -> Bool {
        if case .corrupt = refusal(sequence, importID: importID, key: key) { true } else { false }
    }

    func file(_ sequence: Int, importID: String = importID) -> URL {
        URL(fileURLWithPath: imports.place(importID, sequence).path)
    }

    var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: imports.folder.path).sorted() }
    }
}

struct StagedPerson: Equatable {
    var lookup: PersonLookup
    var rows: [StagedRow]

    /// The plain way.
    static func all(_ batches: [StagedBatch]) -> [StagedPerson] {
        Dictionary(grouping: batches.flatMap(\.rows), by: \.lookup)
            .map { StagedPerson(lookup: $0.key, rows: $0.value) }
            .sorted { $0.lookup < $1.lookup }
    }
}
