import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

/// What the cluster has of one person is said whole, and nothing of anybody else's.
@Suite("Ledger: everything of one person")
struct PersonalDataTests {
    @Test(
        "Interactions, prompts, shards and disks are those that the ledger has of the person",
        arguments: PartitionMethod.allCases)
    func whole(partition: PartitionMethod) throws {
        let data = SyntheticRatings(users: 12, seed: 4)
        let fixture = LedgerFixture(partition: partition)
        let ledger = try fixture.trained(data)
        try ledger.recordCopy(HandedCopy(worker: "w", name: "host:1", shard: 0, manifest: "m"), at: fixture.now)
        let all = try Split.allCases.flatMap { try ledger.prompts(split: $0) }
        for user in Set(data.interactions.map(\.user)).sorted() {
            let reply = try ledger.personalData(user: user)
            let own = all.filter { $0.prompt.user == user }
            #expect(reply.user == user)
            #expect(try reply.interactions.map(\.item) == ledger.history(user: user).map(\.item))
            #expect(reply.interactions.allSatisfy { $0.title != nil })
            #expect(Set(reply.prompts.map(\.id)) == Set(own.map(\.prompt.id)))
            for stored in own {
                let prompt = try #require(reply.prompts.first { $0.id == stored.prompt.id })
                #expect(prompt.shard == stored.shard && prompt.split == stored.prompt.split)
                #expect(prompt.text == TrainingPrompt(stored.prompt).text && prompt.history.count == 4)
            }
            let shards = Set(own.filter { $0.prompt.split == .train }.compactMap(\.shard))
            #expect(reply.shards.map(\.shard) == shards.sorted())
            for shard in reply.shards {
                #expect(try shard.adapter == ledger.adapters().first { $0.shard == shard.shard }?.name)
                #expect(shard.isCurrent && !shard.sawEarlier)
                #expect(shard.copies.map(\.worker) == (shard.shard == 0 ? ["w"] : []))
            }
        }
    }

    @Test("An adapter that saw earlier versions of the prompts is named until it is trained again")
    func earlierVersions() throws {
        var data = SyntheticRatings(users: 8, seed: 6)
        let fixture = LedgerFixture(partition: .userHash, shards: 1)
        let ledger = try fixture.trained(data)
        for index in data.items.indices { data.items[index].title += " again" }
        try fixture.load(data, into: ledger, id: "titles")
        let user = try #require(try ledger.prompts(split: .train).first).prompt.user
        let shard = try #require(try ledger.personalData(user: user).shards.first)
        #expect(shard.sawEarlier && !shard.isCurrent && shard.adapter != nil)
        try fixture.prepare(ledger)
        let again = try #require(try ledger.personalData(user: user).shards.first)
        #expect(!again.sawEarlier && again.isCurrent)
    }

    @Test("Rows in an import in progress are said, beside what is there of the person or alone, until forgotten")
    func staged() throws {
        let data = SyntheticRatings(users: 8, seed: 8)
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(data.without(users: ["u7"]))
        #expect(try ledger.personalData(user: "u1").staged == nil)
        try ledger.stage(
            importID: "later", sequence: 0, items: data.items, interactions: data.interactions, at: fixture.now)
        for user in ["u1", "u7"] {
            let reply = try ledger.personalData(user: user)
            let rows = data.interactions.filter { $0.user == user }
            #expect(reply.user == user && reply.interactions.count == (user == "u7" ? 0 : rows.count))
            let staged = try #require(reply.staged)
            #expect(staged.map(\.importID) == ["later"])
            #expect(staged[0].interactions.map(\.item) == rows.map(\.item))
            #expect(staged[0].interactions.map(\.rating) == rows.map(\.rating))
            #expect(staged[0].interactions.allSatisfy { $0.title != nil })
        }
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u7"]), at: fixture.now)
        #expect(throws: LedgerError.unknownUser("u7")) { try ledger.personalData(user: "u7") }
        #expect(try ledger.personalData(user: "u1").staged == nil)
    }

    @Test("Of somebody whose record was damaged it says where prompts of it were, until that is forgotten")
    func damaged() throws {
        let data = SyntheticRatings(users: 8, seed: 9)
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(data)
        try ledger.close()
        try Ledger.tamper(
            "UPDATE people SET record = x'00' || record WHERE id = (SELECT MIN(person) FROM members)",
            at: fixture.directory.appendingPathComponent("ledger.sqlite"))
        let again = try fixture.open()
        let lost = try #require(data.interactions.map(\.user).first { (try? again.hasUser($0)) == false })
        let request = LedgerFixture.forget(users: [lost])
        let reply = try again.personalData(user: lost)
        #expect(reply.user == lost && reply.interactions.isEmpty && reply.shards.isEmpty)
        let shards = try again.plan(request).shards.map(\.index)
        #expect(reply.damaged?.shards == shards && shards.count == 1)
        _ = try again.forget(requestID: "f", request, at: fixture.now)
        #expect(throws: LedgerError.unknownUser(lost)) { try again.personalData(user: lost) }
    }

    @Test("Somebody who was forgotten, or never there, is unknown")
    func unknown() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 7))
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        for user in ["u1", "nobody", "", " "] {
            #expect(throws: LedgerError.unknownUser(user)) { try ledger.personalData(user: user) }
        }
    }
}
