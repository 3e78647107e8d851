import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing

/// Clients choose the names of their requests, which may be people's: a status is shown to others, too.
@Suite("Lines of the status name no request")
struct NamelessDutiesTests {
    private let name = "anna@example.org"

    @Test("A certificate that cannot be written is stuck under its request's name, which its line does not say")
    func certificate() throws {
        var snapshot = CoordinatorFixture.snapshot(shards: 2, adapters: true)
        snapshot.pendingForgets = [
            LedgerSnapshot.PendingForget(
                id: name, received: Date(timeIntervalSince1970: 0), waitingFor: [], retrained: [0])
        ]
        var fixture = CoordinatorFixture(snapshot, doubleCheck: .share(0))
        fixture.hello(
            "a", copies: (0..<2).map { .init(shard: $0, manifest: "m\($0)", prompts: 10, adapter: "a\($0)") })
        #expect(fixture.finishes == [name])
        let finish = try #require(
            fixture.commands.first { if case .finishForget = $0.command { true } else { false } })
        fixture.feed(.ledger(finish.id, .failed(ClientError(code: .diskFull, message: "the disk is full"))))
        let stuck = try #require(fixture.status.stuck.first { $0.kind == "finish" })
        #expect(stuck.request == name && stuck.description == "signing a certificate")
    }

    @Test("A part of an operation says whose it is in its own field")
    func part() throws {
        var snapshot = CoordinatorFixture.snapshot(shards: 1, adapters: true)
        snapshot.shards[0].adapter?.trainer = "a"
        var fixture = CoordinatorFixture(snapshot)
        fixture.hello("a", copies: [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: "a0")])
        fixture.hello("b")
        fixture.ask(.verify(.init(request: nil)), id: name)
        let task = try #require(fixture.status.workers.flatMap(\.tasks).first { $0.kind == "replay" })
        #expect(task.operation == name && task.description == "replay for an operation")
    }
}
