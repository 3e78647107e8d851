import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing

@Suite("How often the ledger is told of one worker's copies")
struct SettlementPaceTests {
    private func copy(_ shard: Int, _ manifest: String) -> ShardCopy {
        ShardCopy(shard: shard, manifest: manifest, prompts: 10, adapter: nil)
    }

    private func copies(_ name: String) -> [ShardCopy] { (0..<600).map { copy($0, "\(name)-\($0)") } }

    /// Settlements among the last actions, of which the ledger notes each.
    private func settlements(_ fixture: inout CoordinatorFixture) -> [CopySettlement] {
        var found: [CopySettlement] = []
        for (id, command) in fixture.commands {
            guard case .settleCopies(let settlement) = command else { continue }
            found.append(settlement)
            fixture.feed(.ledger(id, .committed(fixture.coordinator.snapshot)))
            found += settlements(&fixture)
        }
        return found
    }

    /// A worker greets with one copy of the shard and another in turn, until nothing more is written of it at once.
    private func exhaust(
        _ fixture: inout CoordinatorFixture, _ worker: String, shard: Int,
        _ change: (inout WorkerMessage.Hello) -> Void = { _ in }
    ) {
        for round in 0..<40 {
            fixture.hello(worker, copies: [copy(shard, round.isMultiple(of: 2) ? "older" : "old")], change)
        }
        #expect(fixture.settlements.isEmpty)
    }

    @Test("Greetings that say something else each time are written down when there is time, the last one whole")
    func greetings() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true))
        fixture.holdsSettlements = true
        fixture.hello("a", copies: copies("m"))
        #expect(settlements(&fixture).count == 1)
        for round in 1...51 {
            fixture.hello("a", copies: copies(round.isMultiple(of: 2) ? "m" : "n"))
            #expect(settlements(&fixture).isEmpty, "\(round)")
        }
        // 600 manifests are 18.75 s, of which 16 may be saved up.
        fixture.wait(2500, beating: ["a"])
        #expect(settlements(&fixture).isEmpty)
        fixture.wait(500, beating: ["a"])
        let written = settlements(&fixture)
        let settlement = try #require(written.first)
        #expect(written.count == 1 && settlement.isEverything)
        #expect(settlement.shards.first { $0.shard == 5 }?.kept == ["n-5"])
        // It has used up minutes.
        fixture.hello("a", copies: copies("m"))
        #expect(settlements(&fixture).isEmpty)
        fixture.wait(60_000, beating: ["a"])
        #expect(settlements(&fixture).isEmpty)
        fixture.wait(240_000, beating: ["a"])
        #expect(settlements(&fixture).count == 1)
        #expect(settlements(&fixture).isEmpty)
    }

    @Test("A worker that says one thing and another for ever costs an entry a second")
    func flipping() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true))
        fixture.holdsSettlements = true
        fixture.hello("a")
        var count = settlements(&fixture).count
        for round in 0..<240 {
            fixture.wait(250)
            count += settlements(&fixture).count
            fixture.say(.holds(copy(0, "x\(round)")), by: "a")
            count += settlements(&fixture).count
        }
        #expect((50...80).contains(count), "\(count)")
    }

    @Test("A forget waits for what the ledger is yet to note, and ends with it")
    func forget() throws {
        var snapshot = CoordinatorFixture.snapshot(shards: 2, adapters: true)
        snapshot.shards[0].manifest = "m0-after"
        snapshot.shards[0].adapter = nil
        snapshot.shards[0].quarantinedSince = Date(timeIntervalSince1970: 0)
        snapshot.pendingForgets = [
            LedgerSnapshot.PendingForget(id: "f", received: Date(timeIntervalSince1970: 0), waitingFor: [0])
        ]
        var fixture = CoordinatorFixture(snapshot, doubleCheck: .share(0))
        fixture.hello("a")
        let task = try #require(fixture.assignments.first?.task)
        exhaust(&fixture, "b", shard: 0)
        fixture.say(CoordinatorFixture.report(task: task, shard: 0, manifest: "m0-after", adapter: "n0"), by: "a")
        let publish = try #require(fixture.commands.first)
        snapshot.shards[0].adapter = LedgerSnapshot.Adapter(name: "n0", manifest: "m0-after", missingMargins: 0)
        snapshot.shards[0].quarantinedSince = nil
        snapshot.pendingForgets[0].waitingFor = []
        fixture.feed(.ledger(publish.id, .committed(snapshot)))
        fixture.say(.released(shard: 0), by: "b")
        #expect(fixture.settlements.isEmpty && fixture.finishes.isEmpty)
        #expect(fixture.status.pendingForgets.first?.unconfirmed.isEmpty == true)
        fixture.wait(3000, beating: ["a", "b"])
        #expect(fixture.finishes == ["f"])
    }

    @Test("What is owed of a worker that says goodbye is written at once, and it is not listed any more")
    func ephemeral() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true))
        // No shard that is handed out.
        exhaust(&fixture, "b", shard: 7) { $0.isEphemeral = true }
        fixture.say(.goodbye(deleted: [7]), by: "b")
        expectNothingLeft(fixture.settlements)
        #expect(fixture.status.workers.isEmpty)
    }

    private func expectNothingLeft(_ written: [CopySettlement]) {
        #expect(written.count == 1 && written.first?.worker == "b" && written.first?.isEverything == true)
        #expect(written.first?.shards.allSatisfy { $0.kept.isEmpty } == true)
    }

    @Test("What is owed of a paused worker is written before its next start, or who resumes it, takes it off the list")
    func takenOver() throws {
        for isResumed in [true, false] {
            var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, requested: false))
            exhaust(&fixture, "b", shard: 7) { ($0.label, $0.isEphemeral) = ("pod", true) }
            fixture.order(.pause, "b")
            // Its goodbye finds the ledger's disk full.
            fixture.holdsSettlements = true
            fixture.say(.goodbye(deleted: [7]), by: "b")
            let goodbye = try #require(fixture.commands.first { $0.command.isSettlement })
            #expect(fixture.status.workers.map(\.id) == ["b"])
            if isResumed {
                fixture.order(.resume, "b")
            } else {
                fixture.hello("c") { ($0.label, $0.isEphemeral) = ("pod", true) }
            }
            #expect(!fixture.status.workers.map(\.id).contains("b"))
            fixture.feed(.ledger(goodbye.id, .failed(ClientError(code: .diskFull, message: "no space"))))
            fixture.wait(5000, beating: ["c"])
            expectNothingLeft(settlements(&fixture).filter { $0.worker == "b" })
        }
    }

    @Test("What is owed of a worker that is away is written before it makes room for others")
    func forgotten() {
        let copies = (0..<CoordinatorLimits.workers).map {
            HandedCopy(worker: "w\(10_000 + $0)", name: "w", shard: 7, manifest: "old")
        }
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, requested: false), copies: copies)
        exhaust(&fixture, "b", shard: 7)
        fixture.say(.released(shard: 7), by: "b")
        #expect(fixture.settlements.isEmpty)
        // All others that are away may hold something, and none was heard of earlier.
        fixture.feed(.unreachable(peer: fixture.peer("b")))
        expectNothingLeft(fixture.settlements)
        #expect(!fixture.status.workers.contains { $0.id == "b" })
    }

    @Test("A coordinator that ends in good order writes what it owes")
    func end() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, requested: false))
        exhaust(&fixture, "b", shard: 7)
        fixture.say(.released(shard: 7), by: "b")
        #expect(fixture.settlements.isEmpty)
        let written = fixture.end().compactMap { action -> CopySettlement? in
            if case .ledger(_, .settleCopies(let settlement)) = action { settlement } else { nil }
        }
        expectNothingLeft(written)
        #expect(fixture.end().isEmpty)
    }
}

extension LedgerCommand {
    fileprivate var isSettlement: Bool {
        if case .settleCopies = self { true } else { false }
    }
}
