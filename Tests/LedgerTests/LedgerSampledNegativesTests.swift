import ClusterTestSupport
import Foundation
import Messages
import Recommendation
import Testing
import Unlearning

@testable import Ledger

@Suite("Ledger: sampled negatives")
struct LedgerSampledNegativesTests {
    private let data = SyntheticRatings(users: 14, seed: 21)
    private let perLike = 3

    @discardableResult
    private func load(
        _ data: SyntheticRatings, _ fixture: LedgerFixture, _ ledger: Ledger, id: String = "import", negatives: Int = 3
    ) throws -> ImportOutcome {
        try ledger.stage(importID: id, sequence: 0, items: data.items, interactions: data.interactions, at: fixture.now)
        return try ledger.finishImport(
            importID: id, batches: 1, prompts: fixture.prompts, negatives: negatives, at: fixture.now)
    }

    private func fresh(_ data: SyntheticRatings, _ partition: PartitionMethod = .userHash) throws -> Ledger {
        let fixture = LedgerFixture(partition: partition)
        let ledger = try fixture.open()
        try load(data, fixture, ledger)
        return ledger
    }

    private func manifests(_ ledger: Ledger) throws -> [ShardManifest] {
        try (0..<3).map { try ledger.manifest(shard: $0) }
    }

    private func all(_ ledger: Ledger) throws -> [StoredPrompt] {
        try Split.allCases.flatMap { try ledger.prompts(split: $0) }
    }

    private func likes(_ data: SyntheticRatings) -> [Interaction] { data.interactions.filter { $0.rating > 3 } }

    @Test("Every like gets its negatives, which are targets only; who asks is told which they are")
    func drawn() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        let outcome = try load(data, fixture, ledger)
        #expect(outcome.negativesDrawn == perLike * likes(data).count)
        let prompts = try all(ledger)
        let sampled = prompts.filter { $0.prompt.sampledFor != nil }
        #expect(sampled.count > 100)
        let own = Set(data.interactions.map(\.key))
        #expect(prompts.allSatisfy { $0.history.allSatisfy(own.contains) })
        #expect(sampled.allSatisfy { !own.contains($0.prompt.target) && !$0.prompt.label })
        for prompt in sampled where prompt.split == .train {
            let mate = try #require(prompts.first { $0.prompt.target == prompt.prompt.sampledFor })
            #expect(mate.shard == prompt.shard && mate.prompt.sampledFor == nil)
        }
        let reply = try ledger.personalData(user: "u3")
        let liked = likes(data).filter { $0.user == "u3" }
        #expect(reply.sampled?.count == perLike * liked.count)
        #expect(Set(reply.sampled?.map(\.drawnFor) ?? []) == Set(liked.map(\.item)))
        #expect(reply.interactions.count == data.interactions.count { $0.user == "u3" })
        let asked = sampled.filter { $0.prompt.user == "u3" }.map(\.id)
        #expect(Set(reply.prompts.filter { $0.isSampled == true }.map(\.id)) == Set(asked))
        // Nobody did it: it can still be recommended, and counts for nothing.
        let had = Set(reply.interactions.map(\.item))
        #expect(try ledger.question(user: "u3", items: [], limit: 100).items.count == data.items.count - had.count)
        #expect(try ledger.statistics().interactions == data.interactions.count)
    }

    @Test(
        "After somebody is forgotten the shards are those of a ledger that never saw that person",
        arguments: PartitionMethod.allCases.filter { !$0.isDataDependent })
    func forgetUser(partition: PartitionMethod) throws {
        let fixture = LedgerFixture(partition: partition)
        let ledger = try fixture.open()
        try load(data, fixture, ledger)
        try fixture.prepare(ledger)
        for user in ["u2", "u9"] {
            _ = try ledger.forget(requestID: user, LedgerFixture.forget(users: [user]), at: fixture.now)
        }
        let other = try fresh(data.without(users: ["u2", "u9"]), partition)
        #expect(try manifests(ledger) == manifests(other))
        #expect(try all(ledger).map(\.prompt) == all(other).map(\.prompt))
        // And so it is after the same files came again, with everybody's rows.
        #expect(try load(data, fixture, ledger, id: "again").rowsNew == 0)
        #expect(try manifests(ledger) == manifests(other))
    }

    @Test("Forgetting any single interaction leaves what a ledger has that never saw it: no draw looks at another one")
    func forgetInteraction() throws {
        let pool = NegativePool(data.items.map(\.id))
        // Also an item that is a negative of another like of the same person.
        let collision = try #require(
            data.interactions.first { row in
                likes(data).contains {
                    $0.user == row.user && $0.key != row.key
                        && pool.draw(perLike, for: $0.key, seed: 7).contains(row.item)
                }
            })
        let like = try #require(likes(data).first { $0.user == "u5" })
        let dislike = try #require(data.interactions.first { $0.user == "u6" && $0.rating <= 3 })
        for (partition, gone) in [
            (PartitionMethod.userHash, collision), (.hash, collision), (.userHash, like), (.hash, like),
            (.userHash, dislike),
        ] {
            let fixture = LedgerFixture(partition: partition)
            let ledger = try fixture.open()
            try load(data, fixture, ledger)
            try fixture.prepare(ledger)
            let before = try manifests(ledger)
            let outcome = try ledger.forget(requestID: "r", LedgerFixture.forget(gone.key), at: fixture.now)
            let other = try fresh(data.without(interactions: [gone.key]), partition)
            let after = try manifests(ledger)
            #expect(try after == manifests(other), "\(partition), \(gone)")
            // Also where a shard only gains what the interaction kept out: its adapter was trained without it.
            let changed = before.indices.filter { before[$0] != after[$0] }
            #expect(Set(outcome.shards).isSuperset(of: changed), "\(partition), \(gone)")
            let serving = try ledger.adapters().map(\.shard)
            #expect(Set(serving).isDisjoint(with: changed))
            let reply = try ledger.personalData(user: gone.user)
            #expect(try reply.sampled == other.personalData(user: gone.user).sampled)
            #expect(reply.sampled?.contains { $0.drawnFor == gone.item && $0.timestamp == gone.timestamp } == false)
        }
    }

    @Test("A shard that only gains a prompt by a forget is trained again: what kept it out is forgotten")
    func gaining() throws {
        let pool = NegativePool(data.items.map(\.id))
        var gained = 0
        for row in data.interactions {
            let isDrawn = likes(data).contains {
                $0.user == row.user && $0.key != row.key && pool.draw(perLike, for: $0.key, seed: 7).contains(row.item)
            }
            guard isDrawn, gained < 1 else { continue }
            let fixture = LedgerFixture(partition: .hash)
            let ledger = try fixture.open()
            try load(data, fixture, ledger)
            try fixture.prepare(ledger)
            let old = try ledger.prompts(split: .train)
            let outcome = try ledger.forget(requestID: "r", LedgerFixture.forget(row.key), at: fixture.now)
            let known = Set(old.map(\.id))
            let touched = Set(old.filter { $0.prompt.target == row.key || $0.history.contains(row.key) }.map(\.shard))
            for prompt in try ledger.prompts(split: .train)
            where !known.contains(prompt.id) && !touched.contains(prompt.shard) {
                gained += 1
                #expect(outcome.shards.contains(try #require(prompt.shard)))
            }
        }
        #expect(gained > 0)
    }

    @Test("What only was drawn stays in the catalogue when it goes with whoever it was drawn for")
    func drawnStays() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        var data = data
        data.items += (0..<40).map { Item(id: "shelf \($0)", title: "Shelf \($0)") }
        try load(data, fixture, ledger)
        let drawn = try ledger.personalData(user: "u2").sampled?.filter { $0.item.hasPrefix("shelf") } ?? []
        try #require(!drawn.isEmpty)
        _ = try ledger.forget(requestID: "r", LedgerFixture.forget(users: ["u2"]), at: fixture.now)
        let named = try Set(ledger.read { try String.fetchAll($0, sql: "SELECT token FROM items") })
        #expect(drawn.allSatisfy { named.contains($0.item) })
    }

    @Test("Nobody else's coming or going, no other table of items and no second import moves what was drawn")
    func sticky() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        try load(data, fixture, ledger)
        let before = try manifests(ledger)
        let again = try load(data, fixture, ledger, id: "again")
        #expect(again.negativesDrawn == 0 && again.shardsChanged.isEmpty && again.promptsRebuilt == 0)
        var other = data
        other.items = (0..<500).map { Item(id: "n\($0)", title: "New \($0)") } + data.items.dropLast(20)
        #expect(try load(other, fixture, ledger, id: "other", negatives: 7).negativesDrawn == 0)
        #expect(try load(data, fixture, ledger, id: "without", negatives: 0).negativesDrawn == nil)
        #expect(try manifests(ledger) == before)
        let alone = try fresh(data.without(users: Set((1..<14).map { "u\($0)" })))
        #expect(try alone.personalData(user: "u0").sampled == ledger.personalData(user: "u0").sampled)
        try ledger.close()
        #expect(try manifests(fixture.open()) == before)
    }

    @Test(
        "Who was imported without gets them when the rows come again with them, and is then like who had them at once")
    func later() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        try load(data, fixture, ledger, negatives: 0)
        let plain = try manifests(ledger)
        let outcome = try load(data, fixture, ledger, id: "with")
        #expect(outcome.rowsNew == 0 && outcome.negativesDrawn == perLike * likes(data).count)
        #expect(try manifests(ledger) != plain)
        #expect(try manifests(ledger) == manifests(fresh(data)))
    }

    @Test("A real interaction with the item takes its place, and the lineage remembers what an adapter saw")
    func replaced() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        try load(data, fixture, ledger)
        try fixture.prepare(ledger)
        let sampled = try #require(
            try ledger.prompts(split: .train).first { $0.prompt.sampledFor != nil }
        ).prompt
        let shard = try #require(try ledger.prompts(split: .train).first { $0.id == sampled.id }?.shard)
        var more = data
        more.interactions.append(
            Interaction(
                user: sampled.user, item: sampled.target.item, timestamp: 90, rating: 5, ordinal: 10_000))
        try load(more, fixture, ledger, id: "real")
        #expect(
            try !all(ledger).contains {
                $0.prompt.user == sampled.user && $0.prompt.sampledFor != nil
                    && $0.prompt.target.item == sampled.target.item
            })
        #expect(try manifests(ledger) == manifests(fresh(more)))
        // The adapter was trained on a prompt of the like that is gone now.
        let own = try #require(sampled.sampledFor)
        let outcome = try ledger.forget(requestID: "r", LedgerFixture.forget(own), at: fixture.now)
        #expect(outcome.shards.contains(shard))
    }

    @Test(
        "Drawn items stay in the catalogue for as long as somebody's record names them, and their titles reach prompts")
    func catalogue() throws {
        let fixture = LedgerFixture(shards: 1)
        let ledger = try fixture.open()
        var data = data
        data.items.append(Item(id: "rare", title: "Rare"))
        // Nobody has it but one person, and it is drawn for others, as everything is.
        data.interactions.append(
            Interaction(user: "u1", item: "rare", timestamp: 1, rating: 5, ordinal: 20_000))
        try load(data, fixture, ledger, negatives: 20)
        let holders = try (0..<14).filter { index in
            try ledger.personalData(user: "u\(index)").sampled?.contains { $0.item == "rare" } == true && index != 1
        }
        #expect(!holders.isEmpty)
        _ = try ledger.forget(requestID: "r", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        #expect(try ledger.personalData(user: "u\(holders[0])").sampled?.contains { $0.title == "Rare" } == true)
        data.items[data.items.count - 1].title = "Rarer"
        try load(data.without(users: ["u1"]), fixture, ledger, id: "title", negatives: 0)
        let named = try all(ledger).filter { $0.prompt.target.item == "rare" && $0.prompt.sampledFor != nil }
        #expect(!named.isEmpty && named.allSatisfy { $0.prompt.input.contains("\"Rarer\"") })
        try ledger.close()
        #expect(try all(fixture.open()).count > 0)
    }

    @Test("An import in portions, killed between them, draws the same as one at a go", arguments: [false, true])
    func portions(killed: Bool) throws {
        let whole = try fresh(data)
        let fixture = LedgerFixture()
        var ledger = try fixture.open()
        try ledger.stage(
            importID: "i", sequence: 0, items: data.items, interactions: data.interactions, at: fixture.now)
        var progress = try ledger.beginImport(
            importID: "i", batches: 1, prompts: fixture.prompts, negatives: perLike, at: fixture.now)
        var portions = 0
        while case .underWay = progress {
            progress = try ledger.continueImport(
                importID: "i", at: fixture.now, portion: ImportPortion(seconds: 60, people: 3))
            portions += 1
            if killed, portions == 2 { ledger = try fixture.open(at: fixture.copyOfFiles()) }
        }
        guard case .done(let outcome) = progress else { return }
        #expect(portions > 3 && outcome.negativesDrawn == perLike * likes(data).count)
        #expect(try manifests(ledger) == manifests(whole))
    }

    @Test("A partition by content puts a negative where the like's own prompt lies")
    func dataDependent() throws {
        for partition in PartitionMethod.allCases where partition.isDataDependent {
            let fixture = LedgerFixture(partition: partition)
            let ledger = try fixture.open()
            try load(data, fixture, ledger)
            try fixture.prepare(ledger)
            let prompts = try ledger.prompts(split: .train)
            #expect(prompts.allSatisfy { $0.shard != nil } && prompts.contains { $0.prompt.sampledFor != nil })
            for prompt in prompts where prompt.prompt.sampledFor != nil {
                let mate = prompts.first { $0.prompt.target == prompt.prompt.sampledFor && $0.prompt.sampledFor == nil }
                #expect(mate?.shard == prompt.shard)
            }
            _ = try ledger.forget(requestID: "r", LedgerFixture.forget(users: ["u4"]), at: fixture.now)
            #expect(try !all(ledger).contains { $0.prompt.user == "u4" })
        }
    }

    @Test("Without items to draw from, or out of bounds, nothing is imported", arguments: [-1, 21, Int.max, 2])
    func refused(negatives: Int) throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        var data = data
        if negatives == 2 { data.items = [] }
        let error = #expect(throws: LedgerError.self) { try load(data, fixture, ledger, negatives: negatives) }
        if case .undrawable = error {} else { Issue.record("\(String(describing: error))") }
        #expect(try ledger.statistics().interactions == 0)
        #expect(throws: LedgerError.unknownImport(id: "import")) {
            try ledger.finishImport(importID: "import", batches: 1, prompts: fixture.prompts, at: fixture.now)
        }
    }
}
