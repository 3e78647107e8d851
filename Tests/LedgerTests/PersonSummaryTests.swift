import ClusterTestSupport
import Foundation
import Messages
import Recommendation
import Testing
import Unlearning

@testable import Ledger

@Suite("What a person's prompts are in the counts")
struct PersonSummaryTests {
    /// Of everybody who has one: what is stored, and what their prompts say.
    private func compare(_ ledger: Ledger) throws -> (people: Int, differing: Int) {
        try ledger.read { db in
            let context = try ledger.promptContext(db)
            var (people, differing) = (0, 0)
            for id in try Int64.fetchAll(db, sql: "SELECT id FROM people ORDER BY id") {
                let known = try #require(try ledger.person(id, db))
                let prompts = try ledger.prompts(of: known, context)
                people += 1
                if known.summary != PersonSummary(of: prompts) { differing += 1 }
            }
            return (people, differing)
        }
    }

    private func forget(_ users: [String], _ ledger: Ledger, _ fixture: LedgerFixture) throws -> ForgetOutcome {
        let request = ClientRequest.ForgetRequest(users: users, interactions: [])
        let plan = try ledger.plan(request)
        let outcome = try ledger.forget(requestID: users.joined(), request, at: fixture.now)
        #expect(plan.counts == outcome.counts)
        return outcome
    }

    @Test(
        "It is theirs after imports, partitions, other titles, other samples and forgets of single interactions",
        arguments: PartitionMethod.allCases, SplitMethod.allCases)
    func kept(partition: PartitionMethod, method: SplitMethod) throws {
        let fixture = LedgerFixture(
            partition: partition, prompts: PromptConfiguration(method: method, historyLength: 3))
        fixture.referencePrompts = 8
        let data = SyntheticRatings(users: 20, items: 160, largest: 150, seed: 5)
        var first = data
        first.interactions = Array(data.interactions.prefix(data.interactions.count / 2))
        let ledger = try fixture.trained(first)
        #expect(try compare(ledger) == (people: 20, differing: 0))
        var second = data
        for index in second.items.indices where index % 7 == 0 { second.items[index].title = "Another \(index)" }
        try fixture.load(second, into: ledger, id: "second")
        #expect(try compare(ledger) == (people: 20, differing: 0))
        try fixture.prepare(ledger)
        #expect(try compare(ledger) == (people: 20, differing: 0))
        let keys = data.interactions.filter { $0.user == "u3" }.prefix(4).map {
            ClientRequest.ForgetRequest.Target(user: $0.user, item: $0.item, timestamp: $0.timestamp)
        }
        let request = ClientRequest.ForgetRequest(users: [], interactions: Array(keys))
        _ = try ledger.forget(requestID: "single", request, at: fixture.now)
        #expect(try compare(ledger) == (people: 20, differing: 0))
    }

    @Test(
        "Who goes by it leaves the counts that a fresh ledger has, whether their prompts are few or many",
        arguments: [PartitionMethod.userHash, .hash])
    func gone(partition: PartitionMethod) throws {
        let fixture = LedgerFixture(partition: partition)
        var data = SyntheticRatings(users: 12, items: 160, largest: 150, seed: 9)
        let ledger = try fixture.trained(data)
        let counts = Dictionary(grouping: data.interactions, by: \.user).mapValues(\.count)
        let sorted = counts.sorted { ($0.value, $0.key) < ($1.value, $1.key) }.map(\.key)
        for user in [sorted[0], sorted[11]] {
            let outcome = try forget([user], ledger, fixture)
            #expect(outcome.counts.interactions == counts[user])
            data = data.without(users: [user])
            #expect(try ledger.snapshot() == ledger.snapshotReadWhole())
        }
        let other = LedgerFixture(partition: partition)
        let fresh = try other.open()
        try other.load(data, into: fresh)
        #expect(try ledger.snapshot().shards.map(\.manifest) == fresh.snapshot().shards.map(\.manifest))
        #expect(try ledger.snapshot().shards.map(\.prompts) == fresh.snapshot().shards.map(\.prompts))
        #expect(try ledger.snapshot().shards.map(\.likes) == fresh.snapshot().shards.map(\.likes))
        #expect(try ledger.manifestOfAllTrainingPrompts() == fresh.manifestOfAllTrainingPrompts())
        #expect(try ledger.snapshot().validationDigest == fresh.snapshot().validationDigest)
    }

    @Test(
        "Where there is none, or one that does not open, prompts are made and the outcome is the same",
        arguments: ["NULL", "x'00'", "zeroblob(40)"])
    func missing(value: String) throws {
        let data = SyntheticRatings(users: 8, items: 160, largest: 150, seed: 4)
        let (one, other) = (LedgerFixture(), LedgerFixture())
        let (ledger, without) = (try one.trained(data), try other.trained(data))
        try without.tamper("UPDATE people SET summary = \(value)")
        let (outcome, same) = (try forget(["u1"], ledger, one), try forget(["u1"], without, other))
        #expect(outcome.counts == same.counts && outcome.shards == same.shards)
        #expect(try ledger.snapshot().shards.map(\.manifest) == without.snapshot().shards.map(\.manifest))
    }

    @Test("Titles so long that prompts are shortened: the list of these loses whoever is forgotten")
    func shortened() throws {
        let prompts = PromptConfiguration(historyLength: 3, titleBytes: 64)
        let fixture = LedgerFixture(prompts: prompts)
        var data = SyntheticRatings(users: 6, seed: 2)
        for index in data.items.indices where index % 3 == 0 {
            data.items[index].title = String(repeating: "long ", count: 12) + "\(index)"
        }
        let ledger = try fixture.trained(data)
        let before = try ledger.read { try ledger.shortenedPrompts($0).ids }
        _ = try forget(["u2"], ledger, fixture)
        let kept = try ledger.read { try ledger.shortenedPrompts($0).ids }
        ledger.cachedShortened = nil
        let anew = try ledger.read { try ledger.shortenedPrompts($0).ids }
        #expect(kept == anew && kept.isStrictSubset(of: before))
    }

    @Test("It is read as it was written; bytes that are none are refused, wherever they end or differ")
    func coding() throws {
        for count in [0, 1, 63, 64, 65, 200] {
            let some = Array(Self.entries.prefix(count))
            let entries = ManifestEntries(some)
            #expect(entries.digest.hexadecimal == ShardManifest(entries: some).digest)
            let bytes = try #require(ManifestEntries(bytes: entries.bytes, count: count))
            #expect(bytes == entries && bytes.digest == entries.digest)
            #expect(ManifestEntries(bytes: entries.bytes + [0], count: count) == nil)
        }
        let fixture = LedgerFixture(partition: .hash)
        let ledger = try fixture.trained(SyntheticRatings(users: 3, items: 160, largest: 150, seed: 1))
        let summary = try ledger.read { db in try #require(try ledger.people(named: "u0", db).first?.summary) }
        let bytes = summary.encoded
        #expect(try PersonSummary(decoding: bytes) == summary && summary.parts.count > 2)
        for end in stride(from: 0, to: bytes.count, by: 7) {
            #expect(throws: LedgerError.self) { try PersonSummary(decoding: bytes.prefix(end)) }
        }
        #expect(throws: LedgerError.self) { try PersonSummary(decoding: bytes + [0]) }
        var random = SeededNumbers(6)
        for _ in 0..<300 {
            var damaged = bytes
            for _ in 0..<3 {
                damaged[Int.random(in: 0..<40, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            // Refused or something else, never a crash.
            _ = try? PersonSummary(decoding: damaged)
        }
    }

    private static let entries = (0..<200).map { ShardManifest.Entry(id: "id \($0)", digest: "digest \($0)") }
}
