import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

/// The page that an auditor goes by names what there is.
@Suite("The page of what is on which disk")
struct WhatIsOnWhichDiskTests {
    private struct Column: Hashable {
        var table: String
        var name: String
    }

    private static let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
        .appendingPathComponent("Sources/Cluster/Ledger/Ledger.docc/WhatIsOnWhichDisk.md")

    /// What stands between ` and `.
    private func names(_ cell: Substring) -> [String] {
        cell.matches(of: /`([^`]+)`/).map { String($0.1) }
    }

    /// The class of each column, as often as it is named.
    private func classes() throws -> [(column: Column, kind: String)] {
        let text = try String(contentsOf: Self.page, encoding: .utf8)
        let section = try #require(text.firstRange(of: "### The database, column by column\n")).upperBound
        let body = text[section...]
        let end = body.firstRange(of: "\n### ")?.lowerBound ?? body.endIndex
        return body[..<end].split(separator: "\n").filter { $0.hasPrefix("| `") }.flatMap { line in
            let cells = line.split(separator: "|")
            guard cells.count >= 3, let table = names(cells[0]).first else { return [(column: Column, kind: String)]() }
            let kind = cells[2].trimmingCharacters(in: .whitespaces)
            return names(cells[1]).map { (Column(table: table, name: $0), kind) }
        }
    }

    @Test("It names every column of every table of the ledger once, with its class, and no other")
    func columns() throws {
        let named = try classes()
        let ledger = try LedgerFixture().open()
        let there = Set(try ledger.columns().map { Column(table: $0.table, name: $0.column) })
        #expect(there.count > 100)
        func listed(_ columns: Set<Column>) -> [String] { columns.map { "\($0.table).\($0.name)" }.sorted() }
        let all = Set(named.map(\.column))
        #expect(listed(there.subtracting(all)) == [], "not on the page")
        #expect(listed(all.subtracting(there)) == [], "not in the ledger")
        #expect(named.count == all.count)
        #expect(Set(named.map(\.kind)) == ["clear", "hash", "keyed hash", "sealed"])
    }

    @Test("What it calls sealed is a box, and what it calls a hash is as long as one")
    func values() throws {
        let fixture = LedgerFixture(partition: .semantic)
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 61))
        _ = try ledger.forget(
            requestID: "f", LedgerFixture.forget(users: ["u1"], method: "e2urec"), at: fixture.now)
        var seen: Set<String> = []
        for (column, kind) in try classes() where kind != "clear" {
            let name = "\"\(column.name)\""
            let values = try ledger.inspect(
                """
                SELECT typeof(\(name)) || ' ' || length(\(name)) FROM "\(column.table)"
                WHERE \(name) IS NOT NULL AND length(\(name)) > 0
                """)
            if !values.isEmpty { seen.insert("\(column.table).\(column.name)") }
            for value in values {
                let parts = value.split(separator: " ")
                let length = try #require(Int(parts[1]))
                switch kind {
                // 28 bytes are added to what is sealed.
                case "sealed": #expect(parts[0] == "blob" && length > 28, "\(column)")
                // As bytes or in hexadecimal; names of people, in half as many bytes.
                default: #expect(["blob 16", "blob 32", "text 64"].contains(value), "\(column) \(value)")
                }
            }
        }
        for name in ["people.record", "people.summary", "sums.sum", "partition.centres", "correction_changes.body"] {
            #expect(seen.contains(name), "\(name)")
        }
    }

    @Test("It names the files that there are while a ledger is open, migrated, or given other keys")
    func files() throws {
        let text = try String(contentsOf: Self.page, encoding: .utf8)
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 6, seed: 62))
        try ledger.close()
        let folder = try FileManager.default.contentsOfDirectory(atPath: fixture.directory.path)
        #expect(folder.count > 5)
        for name in folder { #expect(text.contains(name), "\(name)") }
        for name in ["-wal", "-shm", "ledger.sqlite.new", "ledger.sqlite.old", "ledger.sqlite-wal.old", "unusable-N"] {
            #expect(text.contains(name), "\(name)")
        }
    }
}
