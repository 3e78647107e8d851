import ClusterTestSupport
import Foundation
import Messages
import Recommendation
import Testing
import Unlearning

@testable import Ledger

@Suite("Ledger: imports that deal new people to the last slice")
struct NewcomerDealingTests {
    private let fixture: LedgerFixture
    private let dealing: SliceDealing
    private static let first = SyntheticRatings(users: 20, seed: 5)

    init() {
        fixture = LedgerFixture(partition: .userHash, shards: 2)
        fixture.slices = 4
        dealing = SliceDealing(fixture.configuration.training)
    }

    /// The same data under other names.
    private func newcomers(_ count: Int) -> SyntheticRatings {
        var more = SyntheticRatings(users: count, seed: 6)
        for index in more.interactions.indices {
            more.interactions[index].user = "new \(more.interactions[index].user)"
        }
        return more
    }

    @discardableResult
    private func load(
        _ data: SyntheticRatings, _ ledger: Ledger, id: String, _ people: NewPeople = .hash, leavers: [String] = []
    ) throws -> ImportOutcome {
        try ledger.stage(importID: id, sequence: 0, items: data.items, interactions: data.interactions, at: fixture.now)
        return try ledger.finishImport(
            importID: id, batches: 1, prompts: fixture.prompts, people: people, leavers: leavers, at: fixture.now)
    }

    /// Of everybody with training prompts.
    private func slices(_ ledger: Ledger) throws -> [String: Int] {
        var found: [String: Int] = [:]
        for prompt in try ledger.prompts(split: .train) { found[prompt.prompt.user] = prompt.prompt.slice }
        return found
    }

    private func manifests(_ ledger: Ledger) throws -> [String] { try ledger.snapshot().shards.map(\.manifest) }

    @Test("New people go to the last slice, whoever was there stays, and the earlier slices keep their stages")
    func last() throws {
        let ledger = try fixture.open()
        try load(Self.first, ledger, id: "a")
        let before = try slices(ledger)
        #expect(Set(before.values).count > 2 && before.allSatisfy { $0.value == dealing.slice(ofUser: $0.key) })
        func names(_ shard: Int) throws -> [String?] {
            let samples = try ledger.samples(shard: shard)
            let names = try StageNames(
                specification: fixture.configuration.training, arithmetic: "", prompts: samples,
                digests: samples.map(\.digest))
            return (1...3).map { names[$0] }
        }
        let stages = try (0..<2).map(names)
        let outcome = try load(newcomers(12), ledger, id: "b", .last)
        #expect(outcome.dealtToLast == 12 && outcome.leaversDealt == nil)
        let after = try slices(ledger)
        #expect(after.filter { before[$0.key] != nil } == before)
        let new = after.filter { before[$0.key] == nil }
        #expect(!new.isEmpty && new.values.allSatisfy { $0 == 4 })
        #expect(try (0..<2).map(names) == stages)
        // Where somebody was dealt stays, whatever later imports say, and after a restart.
        #expect(try load(newcomers(12), ledger, id: "c").dealtToLast == nil)
        #expect(try slices(ledger) == after)
        #expect(try slices(fixture.open(at: fixture.copyOfFiles())) == after)
    }

    @Test("Likely leavers who are new go to the last slice, others by the hash; a list names nobody who stays on disk")
    func leavers() throws {
        let ledger = try fixture.open()
        let outcome = try load(Self.first, ledger, id: "a", leavers: ["u3", "u7", "u7", "nobody"])
        #expect(outcome.dealtToLast == 2 && outcome.leaversDealt == 2)
        for (user, slice) in try slices(ledger) {
            #expect(slice == (["u3", "u7"].contains(user) ? 4 : dealing.slice(ofUser: user)), "\(user)")
        }
        #expect(try ledger.personalData(user: "u3").slice == 4)
        #expect(try ledger.personalData(user: "u4").slice == nil)
        let left = try ledger.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM import_leavers") }
        #expect(left == 0)
        // Whoever is there already is not dealt again, listed or not.
        let again = try load(Self.first, ledger, id: "b", leavers: ["u4"])
        #expect(again.dealtToLast == 0 && again.leaversDealt == 0)
        let both = try load(newcomers(3), ledger, id: "c", .last, leavers: ["new u1", "u5"])
        #expect(both.dealtToLast == 3 && both.leaversDealt == 1)
    }

    @Test("In portions and killed between them it is the same")
    func portions() throws {
        let whole = try fixture.open()
        try load(Self.first, whole, id: "a")
        try load(newcomers(12), whole, id: "b", leavers: ["new u2", "new u5"])
        let other = LedgerFixture(partition: .userHash, shards: 2)
        other.slices = 4
        var ledger = try other.open()
        try load(Self.first, ledger, id: "a")
        let more = newcomers(12)
        try ledger.stage(importID: "b", sequence: 0, items: more.items, interactions: more.interactions, at: other.now)
        var progress = try ledger.beginImport(
            importID: "b", batches: 1, prompts: other.prompts, leavers: ["new u2", "new u5"], at: other.now)
        var portions = 0
        ledger = try other.open(at: other.copyOfFiles())
        while case .underWay = progress {
            progress = try ledger.continueImport(
                importID: "b", at: other.now, portion: ImportPortion(people: 2))
            portions += 1
        }
        #expect(portions > 3)
        let outcome: ImportOutcome? = if case .done(let outcome) = progress { outcome } else { nil }
        #expect(outcome?.dealtToLast == 2 && outcome?.leaversDealt == 2)
        #expect(try slices(ledger) == slices(whole) && manifests(ledger) == manifests(whole))
    }

    @Test(
        "After a forget the data is that of a ledger that never had the person, and the certificate says relative to what"
    )
    func forget() throws {
        let ledger = try fixture.open()
        try load(Self.first, ledger, id: "a")
        try load(newcomers(12), ledger, id: "b", .last)
        try fixture.prepare(ledger)
        let user = try #require(try slices(ledger).keys.filter { $0.hasPrefix("new") }.min())
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: [user]), at: fixture.now)
        let fresh = LedgerFixture(partition: .userHash, shards: 2)
        fresh.slices = 4
        let without = try fresh.open()
        try load(Self.first, without, id: "a")
        try load(newcomers(12).without(users: [user]), without, id: "b", .last)
        #expect(try manifests(ledger) == manifests(without))
        for shard in try ledger.snapshot().shards where !shard.isCurrent {
            try fixture.publish(ledger, shard: shard.index)
        }
        let certificate = try ledger.finishForget(request: "f", at: fixture.now)
        #expect(certificate.statement.exactness.contains("the slices that people were dealt to"))
    }

    @Test("A certificate speaks of slices that people were dealt to only where somebody was")
    func nobodyDealt() throws {
        let ledger = try fixture.open()
        try load(Self.first, ledger, id: "a", leavers: ["nobody"])
        // Everybody of it is there already.
        try load(Self.first, ledger, id: "b", .last)
        try fixture.prepare(ledger)
        func exactness(after user: String) throws -> String {
            _ = try ledger.forget(requestID: user, LedgerFixture.forget(users: [user]), at: fixture.now)
            for shard in try ledger.snapshot().shards where !shard.isCurrent {
                try fixture.publish(ledger, shard: shard.index)
            }
            return try ledger.finishForget(request: user, at: fixture.now).statement.exactness
        }
        #expect(try !exactness(after: "u1").contains("dealt"))
        try load(newcomers(2), ledger, id: "c", .last)
        for shard in try ledger.snapshot().shards where !shard.isCurrent {
            try fixture.publish(ledger, shard: shard.index)
        }
        #expect(try exactness(after: "u2").contains("the slices that people were dealt to"))
    }

    @Test("A cluster that deals no people to slices refuses it and keeps nothing of the import", arguments: [1, 4])
    func refused(slices: Int) throws {
        let other = LedgerFixture(partition: slices == 1 ? .userHash : .hash)
        other.slices = slices
        let ledger = try other.open()
        for (people, leavers) in [(NewPeople.last, []), (.hash, ["u1"])] {
            try ledger.stage(
                importID: "a", sequence: 0, items: Self.first.items, interactions: Self.first.interactions,
                at: other.now)
            #expect(throws: LedgerError.undealtPeople(slices: slices, partition: other.partition)) {
                try ledger.finishImport(
                    importID: "a", batches: 1, prompts: other.prompts, people: people, leavers: leavers, at: other.now)
            }
            #expect(throws: LedgerError.unknownImport(id: "a")) {
                try ledger.finishImport(importID: "a", batches: 1, prompts: other.prompts, at: other.now)
            }
        }
        #expect(throws: LedgerError.unknownUser("u1")) { try ledger.personalData(user: "u1") }
    }
}
