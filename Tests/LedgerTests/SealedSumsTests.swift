import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

/// A manifest is called by the hash of a sum over its prompts, and that sum changes by what changes. One of before less one of
/// after would be what somebody had.
@Suite("Ledger: sums of prompts are sealed")
struct SealedSumsTests {
    private struct Sealed: Equatable {
        var place: String
        var slot: Int
        var key: Int64
    }

    private func sealed(_ rows: [String]) throws -> [Sealed] {
        try rows.map { row in
            let parts = row.split(separator: "|").map(String.init)
            return Sealed(
                place: parts[0], slot: try #require(Int(parts[1])), key: try #require(Int64(parts[2])))
        }
    }

    private let rows = "SELECT place || '|' || slot || '|' || key FROM sums ORDER BY place"

    /// Every value that is as large as a sum, by table and column.
    private func values(
        _ columns: [(table: String, column: String)], _ inspect: (String) throws -> [String]
    ) throws -> [String: [[UInt8]]] {
        var found: [String: [[UInt8]]] = [:]
        for (table, column) in columns {
            let texts = try inspect(
                """
                SELECT hex("\(column)") FROM "\(table)"
                WHERE typeof("\(column)") = 'blob' AND length("\(column)") >= \(ManifestDigest.byteCount)
                """)
            let values = texts.map { text in
                let digits = Array(text.utf8).map { $0 < 58 ? $0 - 48 : $0 - 55 }
                return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
            }
            if !values.isEmpty { found["\(table).\(column)"] = values }
        }
        return found
    }

    /// Somebody with prompts in every split.
    private func victim(_ ledger: Ledger) throws -> String {
        let users = try Split.allCases.map { Set(try ledger.prompts(split: $0).map(\.prompt.user)) }
        return try #require(users.dropFirst().reduce(users[0]) { $0.intersection($1) }.min())
    }

    @Test("No value of before less one of after is the sum of what was forgotten", arguments: PartitionMethod.allCases)
    func subtraction(partition: PartitionMethod) throws {
        let fixture = LedgerFixture(partition: partition)
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 41))
        let victim = try victim(ledger)
        let theirs = try Split.allCases.map { split in
            ManifestDigest(of: try ledger.prompts(split: split).filter { $0.prompt.user == victim })
        }
        let before = try ledger.sumsInClear()
        let columns = try ledger.columns()
        let copy = try fixture.copyOfFiles()
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: [victim]), at: fixture.now)
        // That is what they would give.
        let after = try ledger.sumsInClear()
        for (split, sum) in zip(Split.allCases, theirs) {
            var difference = try #require(before["split \(split.rawValue)"])
            difference.remove(after["split \(split.rawValue)"] ?? ManifestDigest())
            #expect(difference == sum && sum != ManifestDigest())
        }
        let old = try values(columns) {
            try Ledger.inspect($0, at: copy.appendingPathComponent("ledger.sqlite"))
        }
        let new = try values(columns, ledger.inspect)
        #expect(old["sums.sum"]?.isEmpty == false && new["sums.sum"]?.isEmpty == false)
        // In clear, or behind what sealing puts before a text.
        for offset in [0, 12] {
            for (name, values) in old {
                for (one, other) in values.flatMap({ one in (new[name] ?? []).map { (one, $0) } }) {
                    let size = ManifestDigest.byteCount
                    guard var difference = ManifestDigest(bytes: one.dropFirst(offset).prefix(size)),
                        let other = ManifestDigest(bytes: other.dropFirst(offset).prefix(size))
                    else { continue }
                    difference.remove(other)
                    #expect(!theirs.contains(difference), "\(name)")
                }
            }
        }
    }

    @Test("The keys of the sums that somebody was in are gone when the request is acknowledged, and no other")
    func keys() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 42))
        let victim = try victim(ledger)
        let shard = try #require(ledger.prompts(split: .train).first { $0.prompt.user == victim }?.shard)
        let before = try sealed(ledger.inspect(rows))
        #expect(try before.count == ledger.sumsInClear().count && before.count >= 6)
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: [victim]), at: fixture.now)
        let touched = ["shard \(shard)", "references"] + Split.allCases.map { "split \($0.rawValue)" }
        for sum in before {
            #expect(try fixture.holds(key: sum.key, slot: sum.slot) == !touched.contains(sum.place), "\(sum.place)")
        }
        for sum in try sealed(ledger.inspect(rows)) {
            #expect(try fixture.holds(key: sum.key, slot: sum.slot), "\(sum.place)")
            #expect(before.contains(sum) == !touched.contains(sum.place))
        }
        #expect(try ledger.isNamedByItsPrompts())
    }

    @Test("What only comes in takes no new key")
    func additions() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 24, seed: 43)
        let ledger = try fixture.open()
        try fixture.load(data.without(users: Set((12..<24).map { "u\($0)" })), into: ledger)
        let before = try sealed(ledger.inspect(rows))
        try fixture.load(data, into: ledger, id: "more")
        let after = try sealed(ledger.inspect(rows))
        #expect(!before.isEmpty && before.allSatisfy(after.contains))
        #expect(try ledger.isNamedByItsPrompts())
    }

    @Test(
        "A ledger of the release before opens with the same manifests; nothing of it is left in clear, and it goes on",
        arguments: PartitionMethod.allCases)
    func releaseBefore(partition: PartitionMethod) throws {
        let fixture = LedgerFixture(partition: partition)
        let data = SyntheticRatings(users: 12, seed: 44)
        let ledger = try fixture.trained(data)
        try ledger.purge()
        let (snapshot, basis) = (try ledger.snapshot(), try ledger.comparisonBasis())
        let (centres, places) = (try ledger.recordedCentres(), try ledger.prompts(split: .train).map(\.shard))
        let clear = try fixture.leaveInClear(ledger)
        #expect(try fixture.files(holding: clear).contains("ledger.sqlite"))
        let opened = try fixture.open()
        #expect(try fixture.files(holding: clear) == [])
        #expect(try opened.snapshot() == snapshot && opened.comparisonBasis() == basis)
        #expect(try opened.recordedCentres() == centres && (centres == nil) == !partition.isDataDependent)
        #expect(try opened.inspect("SELECT place FROM sums WHERE slot IS NULL").isEmpty)
        #expect(try opened.isNamedByItsPrompts() && opened.auditVerdict().isIntact)
        #expect(try opened.prompts(split: .train).map(\.shard) == places)
        _ = try opened.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        #expect(try opened.isNamedByItsPrompts())
        try opened.close()
        #expect(try fixture.files(holding: clear) == [])
        #expect(try fixture.open().isNamedByItsPrompts())
    }

    @Test("Sums whose keys are lost are counted anew from the people, under new keys", arguments: [1, 3, 7])
    func lostKeys(number: Int) throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 45))
        try ledger.purge()
        let snapshot = try ledger.snapshot()
        let before = try sealed(ledger.inspect(rows))
        try ledger.close()
        try fixture.damage(slots: before.prefix(number).map(\.slot))
        let again = try fixture.open()
        #expect(try again.snapshot() == snapshot && again.isNamedByItsPrompts())
        let after = try sealed(again.inspect(rows))
        #expect(zip(before, after).allSatisfy { $0.place == $1.place } && after.count == before.count)
        #expect(zip(before, after).count { $0 != $1 } == min(number, before.count))
        for sum in after { #expect(try fixture.holds(key: sum.key, slot: sum.slot)) }
        #expect(try !again.auditLog().contains { $0.kind == "person damaged" })
        _ = try again.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        #expect(try again.isNamedByItsPrompts())
    }

    @Test("A sum that does not open, or is another one's, stops no request: it is counted anew")
    func lostMeanwhile() throws {
        let data = SyntheticRatings(users: 12, seed: 46)
        for damage in [
            "UPDATE sums SET sum = zeroblob(2076)", "DELETE FROM sums", "UPDATE sums SET slot = NULL",
            """
            UPDATE sums SET (slot, key, sum) =
                (SELECT slot, key, sum FROM sums AS other WHERE other.place = 'split test') WHERE place <> 'split test'
            """,
        ] {
            let fixture = LedgerFixture()
            let ledger = try fixture.trained(data)
            try ledger.tamper(damage)
            _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
            let fresh = LedgerFixture()
            let other = try fresh.open()
            try fresh.load(data.without(users: ["u1"]), into: other)
            #expect(try ledger.isNamedByItsPrompts(), "\(damage)")
            #expect(try ledger.snapshot().shards.map(\.manifest) == other.snapshot().shards.map(\.manifest))
            #expect(try ledger.snapshot().shards.map(\.likes) == other.snapshot().shards.map(\.likes))
            #expect(try ledger.comparisonBasis() == other.comparisonBasis())
            try ledger.close()
            #expect(try fixture.open().isNamedByItsPrompts(), "\(damage)")
        }
    }

    @Test("However many are lost, the ledger opens and counts them anew")
    func everyShard() throws {
        let fixture = LedgerFixture(partition: .hash, shards: 4096)
        let ledger = try fixture.open()
        try fixture.load(SyntheticRatings(users: 12, seed: 48), into: ledger)
        let snapshot = try ledger.snapshot()
        try ledger.close()
        try Ledger.tamper(
            "DELETE FROM sums WHERE place LIKE 'shard %'; UPDATE shards SET prompts = prompts + 1", at: fixture.database
        )
        let again = try fixture.open()
        #expect(try again.snapshot().shards == snapshot.shards)
    }

    @Test("A row that does not say which key it has stops nobody: it is counted anew, and the key is gone")
    func unreadableReferences() throws {
        for damage in ["slot = 'a text'", "key = 'a text'", "key = NULL"] {
            let fixture = LedgerFixture()
            let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 49))
            let before = try sealed(ledger.inspect(rows))
            try ledger.close()
            let used = try fixture.usedSlots()
            try Ledger.tamper("UPDATE sums SET \(damage) WHERE place LIKE 'split %'", at: fixture.database)
            let again = try fixture.open()
            #expect(try again.isNamedByItsPrompts(), "\(damage)")
            #expect(try again.inspect(rows).count == before.count && fixture.usedSlots() == used, "\(damage)")
            for sum in before where sum.place.hasPrefix("split ") {
                #expect(try !fixture.holds(key: sum.key, slot: sum.slot), "\(damage)")
            }
            // While it is open, it is counted anew, too.
            try again.tamper("UPDATE sums SET \(damage)")
            _ = try again.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
            #expect(try again.isNamedByItsPrompts(), "\(damage)")
        }
    }

    @Test("Where one row lost its slot's number, the keys of the others go with their rows")
    func oneWithoutSlot() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 50))
        let before = try sealed(ledger.inspect(rows))
        try ledger.close()
        let used = try fixture.usedSlots()
        try Ledger.tamper("UPDATE sums SET slot = NULL WHERE place = 'split test'", at: fixture.database)
        let again = try fixture.open()
        #expect(try again.isNamedByItsPrompts())
        for sum in before { #expect(try !fixture.holds(key: sum.key, slot: sum.slot), "\(sum.place)") }
        #expect(try again.inspect(rows).count == before.count && fixture.usedSlots() == used)
    }

    @Test("An older database beside today's keys is called what is left in it")
    func olderDatabase() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 47))
        let copy = try fixture.copyOfFiles()
        defer { try? FileManager.default.removeItem(at: copy) }
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: [victim(ledger)]), at: fixture.now)
        try ledger.close()
        try FileManager.default.removeItem(at: copy.appendingPathComponent("keys"))
        try FileManager.default.copyItem(
            at: fixture.directory.appendingPathComponent("keys"), to: copy.appendingPathComponent("keys"))
        let restored = try Ledger(
            directory: copy, configuration: fixture.configuration, accepting: .auditLog, at: fixture.now)
        #expect(try restored.statistics().users == 11 && restored.isNamedByItsPrompts())
    }
}
