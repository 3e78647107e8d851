import ClusterTestSupport
import Coordination
import Messages
import Testing

@Suite("Verifications whose replays fail")
struct VerificationRetryTests {
    /// Who is told to replay.
    private func replays(_ fixture: CoordinatorFixture) -> [(peer: PeerID, task: TaskID)] {
        fixture.actions.compactMap { action in
            guard case .dispatch(let peer, .replay(let task, _, _)) = action else { return nil }
            return (peer, task)
        }
    }

    @Test("Of two workers the one that failed replays again, since the other one trained the adapter")
    func trainer() throws {
        var snapshot = CoordinatorFixture.snapshot(shards: 1, adapters: true, requested: false)
        snapshot.shards[0].adapter?.trainer = "b"
        var fixture = CoordinatorFixture(snapshot, doubleCheck: .share(0))
        fixture.hello("b", copies: [.init(shard: 0, manifest: "m0", prompts: 10, adapter: "a0")])
        fixture.hello("a")
        fixture.ask(.verify(.init(request: nil)), id: "v")
        let first = try #require(replays(fixture).first)
        #expect(first.peer == fixture.peer("a"))
        fixture.say(.failed(task: first.task, code: .failed, message: "told to fail"), by: "a")
        var again = replays(fixture)
        for _ in 0..<40 where again.isEmpty {
            fixture.wait(1000, beating: ["a", "b"])
            again = replays(fixture)
        }
        let second = try #require(again.first)
        #expect(second.peer == fixture.peer("a"))
        fixture.say(CoordinatorFixture.report(task: second.task, shard: 0, manifest: "m0", adapter: "a0"), by: "a")
        fixture.ask(.operation(id: "v"), id: "v")
        let reports = fixture.replies.compactMap { reply in
            if case .operation(_, .verification(let report)?) = reply { report } else { nil }
        }
        #expect(reports.first?.shards.map(\.match) == [true])
    }
}
