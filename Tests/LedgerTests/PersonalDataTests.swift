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
