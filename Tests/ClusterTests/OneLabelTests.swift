import Client
import ClusterTestSupport
import Coordination
import Ledger
import Messages
import Recommendation
import Service
import Testing
import Worker

@Suite("Labels of one class")
struct OneLabelTests {
    @Test("Training is refused with the threshold to change when all answers are the same", arguments: [0, 20])
    func refused(likes: Int) {
        var snapshot = CoordinatorFixture.snapshot(shards: 2, requested: false)
        snapshot.labels = LedgerSnapshot.Labels(likes: likes, likeAbove: 3.5)
        var fixture = CoordinatorFixture(snapshot)
        fixture.ask(.train, id: "1")
        #expect(fixture.errors.map(\.code) == [.oneLabel])
        #expect(fixture.errors.first?.message.contains("3.5") == true)
        #expect(fixture.errors.first?.message.contains("--like-above") == true)
        #expect(fixture.commands.isEmpty)
    }

    @Test("Two classes are trained, also where a shard has one alone; status says so")
    func taken() {
        var snapshot = CoordinatorFixture.snapshot(shards: 2, requested: false)
        snapshot.labels = LedgerSnapshot.Labels(likes: 10, likeAbove: 3)
        snapshot.shards[0].likes = 10
        snapshot.shards[1].likes = 0
        var fixture = CoordinatorFixture(snapshot)
        fixture.ask(.train, id: "1")
        #expect(fixture.errors.isEmpty && fixture.commands.count == 1)
        #expect(fixture.status.shards.map(\.likes) == [10, 0])
        #expect(snapshot.shards.map(\.hasOneLabel) == [true, true])
    }

    @Test("The ledger counts the likes of splits and shards, also those of a ledger that did not count them before")
    func counted() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 12, seed: 61)
        let ledger = try fixture.trained(data)
        let prompts = try ledger.prompts(split: .train)
        let snapshot = try ledger.snapshot()
        #expect(snapshot.labels?.likes == prompts.count { $0.prompt.label })
        #expect(snapshot.labels?.likeAbove == fixture.prompts.likeAbove)
        for shard in snapshot.shards {
            #expect(shard.likes == prompts.count { $0.shard == shard.index && $0.prompt.label })
        }
        let user = try #require(prompts.first).prompt.user
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: [user]), at: fixture.now)
        #expect(try ledger.likes().train == ledger.prompts(split: .train).count { $0.prompt.label })
    }
}
