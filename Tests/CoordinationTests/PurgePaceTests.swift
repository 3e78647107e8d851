import ClusterTestSupport
import Coordination
import Messages
import Testing

@Suite("Coordination: how often the ledger is purged")
struct PurgePaceTests {
    @Test("After a purge that took long there is none for two hundred times as long, but for half a minute at most")
    func pause() throws {
        var snapshot = CoordinatorFixture.snapshot(shards: 1)
        snapshot.purgePending = true
        var fixture = CoordinatorFixture(snapshot)
        fixture.hello("a")
        for (took, pause) in [(100, 20_000), (1000, 30_000)] as [(Int64, Int64)] {
            let purge = try #require(fixture.commands.first { $0.command == .purge })
            fixture.sleep(took)
            // Another forget request made it due again meanwhile.
            fixture.feed(.ledger(purge.id, .committed(snapshot)))
            #expect((pause - 250...pause + 750).contains(untilPurge(&fixture)), "after \(took) ms")
        }
    }

    @Test("A purge that fails is tried again no sooner than one that succeeded is followed by another")
    func failure() throws {
        var snapshot = CoordinatorFixture.snapshot(shards: 1)
        snapshot.purgePending = true
        var fixture = CoordinatorFixture(snapshot)
        fixture.hello("a")
        let full = ClientError(code: .diskFull, message: "full")
        for (took, pause) in [(120, 24_000), (60, 12_000)] as [(Int64, Int64)] {
            let purge = try #require(fixture.commands.first { $0.command == .purge })
            fixture.sleep(took)
            fixture.feed(.ledger(purge.id, .failed(full)))
            #expect((pause - 250...pause + 750).contains(untilPurge(&fixture)), "after \(took) ms")
        }
    }

    /// Milliseconds, a minute at most.
    private func untilPurge(_ fixture: inout CoordinatorFixture) -> Int64 {
        var waited: Int64 = 0
        while waited < 60_000, !fixture.commands.contains(where: { $0.command == .purge }) {
            fixture.wait(250, beating: ["a"])
            waited += 250
        }
        return waited
    }
}
