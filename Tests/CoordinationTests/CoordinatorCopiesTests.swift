import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing

@Suite("The coordinator and copies on workers' disks")
struct CoordinatorCopiesTests {
    private func copy(_ shard: Int, _ manifest: String) -> ShardCopy {
        ShardCopy(shard: shard, manifest: manifest, prompts: 10, adapter: nil)
    }

    private func quarantined() -> LedgerSnapshot {
        var snapshot = CoordinatorFixture.snapshot(shards: 2, adapters: true)
        snapshot.shards[0].manifest = "m0-after"
        snapshot.shards[0].adapter = nil
        snapshot.shards[0].quarantinedSince = Date(timeIntervalSince1970: 0)
        snapshot.pendingForgets = [
            LedgerSnapshot.PendingForget(id: "f", received: Date(timeIntervalSince1970: 0), waitingFor: [0])
        ]
        return snapshot
    }

    private let lost = HandedCopy(worker: "b", name: "host:b", shard: 0, manifest: "m0")

    @Test("After a restart workers that are away are known by what their disks may hold")
    func remembersTheAbsent() {
        let fixture = CoordinatorFixture(quarantined(), copies: [lost])
        let worker = fixture.status.workers.first
        #expect(worker?.id == "b" && worker?.name == "host:b" && worker?.state == .away && worker?.holds == [0])
        #expect(fixture.status.pendingForgets.first?.unconfirmed.map(\.worker) == ["b"])
    }

    @Test("Whose disk gets what is said with every assignment, so that it is written down before it is sent")
    func assignmentsNameTheirHolder() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        let holders = fixture.actions.compactMap { action -> CopyHolder? in
            guard case .dispatch(_, .assign(_, _, _, _, _, let holder)) = action else { return nil }
            return holder
        }
        #expect(holders.map(\.worker) == ["a"])
    }

    @Test("A hello settles everything that is on record of the worker")
    func hello() {
        var fixture = CoordinatorFixture(
            CoordinatorFixture.snapshot(shards: 2, adapters: true),
            copies: [HandedCopy(worker: "a", name: "a", shard: 0, manifest: "m0")])
        fixture.hello("a", copies: [copy(0, "m0")])
        // Nothing new: nothing is written.
        #expect(fixture.settlements.isEmpty)
        var other = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 2, adapters: true))
        other.hello("a", copies: [copy(1, "old")])
        #expect(other.settlements.first?.shards == [CopySettlement.Shard(shard: 1, kept: ["old"])])
        #expect(other.settlements.first?.isEverything == true)
    }

    @Test("Data on its way when the connection broke may be there all the same, until the worker says what it has")
    func onTheWay() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        let task = try #require(fixture.assignments.first?.task)
        fixture.feed(.unreachable(peer: fixture.peer("a")))
        fixture.hello("a")
        #expect(fixture.settlements.allSatisfy { $0.shards.contains { $0.kept == ["m0"] } })
        let again = try #require(fixture.assignments.first?.task)
        #expect(again != task)
        fixture.say(.holds(copy(0, "m0")), by: "a")
        #expect(fixture.status.workers.first?.copies.map(\.isCurrent) == [true])
    }

    @Test("A late word about older data does not hide what was sent since")
    func lateHolds() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        var after = CoordinatorFixture.snapshot(shards: 1)
        after.shards[0].manifest = "m0-after"
        fixture.feed(.ledgerChanged(after))
        #expect(fixture.assignments.map(\.manifest) == ["m0-after"])
        fixture.say(.holds(copy(0, "m0")), by: "a")
        #expect(fixture.status.workers.first?.copies.first?.manifests.sorted() == ["m0", "m0-after"])
        fixture.say(.holds(copy(0, "m0-after")), by: "a")
        #expect(fixture.settlements.first?.shards == [CopySettlement.Shard(shard: 0, kept: ["m0-after"])])
    }

    @Test("A goodbye settles what the worker deleted, and keeps the rest on record")
    func goodbye() {
        let copies = [0, 1].map { HandedCopy(worker: "a", name: "a", shard: $0, manifest: "m\($0)") }
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 2, adapters: true), copies: copies)
        fixture.hello("a", copies: [copy(0, "m0"), copy(1, "m1")])
        fixture.say(.goodbye(deleted: [1]), by: "a")
        #expect(fixture.settlements.map(\.shards) == [[CopySettlement.Shard(shard: 1, kept: [])]])
        #expect(fixture.status.workers.first?.holds == [0])
        var clean = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 2, adapters: true), copies: copies)
        clean.hello("a", copies: [copy(0, "m0"), copy(1, "m1")])
        clean.say(.goodbye(deleted: [0, 1]), by: "a")
        #expect(clean.status.workers.first?.holds == [])
    }

    @Test("A goodbye also settles an assignment of which nothing arrived, but not one whose prompts were sent")
    func goodbyeInFlight() throws {
        for wasSent in [false, true] {
            var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
            fixture.hello("a")
            let task = try #require(fixture.assignments.first?.task)
            if wasSent { fixture.say(.need(task: task, digests: ["d"]), by: "a") }
            fixture.say(.goodbye(deleted: []), by: "a")
            #expect(fixture.status.workers.first?.holds.isEmpty == !wasSent)
        }
    }

    @Test("Nor one that the worker says it holds without having asked for a prompt, as after a forget")
    func goodbyeWithPart() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a", copies: [copy(0, "before-the-forget")])
        #expect(fixture.assignments.map(\.manifest) == ["m0"])
        fixture.say(.holds(copy(0, "m0")), by: "a")
        fixture.say(.goodbye(deleted: []), by: "a")
        #expect(fixture.settlements.isEmpty)
        #expect(fixture.status.workers.first?.copies.map(\.manifests) == [["m0"]])
    }

    @Test("A worker that changes its mind faster than it is written down has a bounded number of notes on their way")
    func flood() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true))
        fixture.holdsSettlements = true
        fixture.hello("a")
        var written: [LedgerCommandID] = []
        func note() {
            written += fixture.commands.compactMap { id, command in
                if case .settleCopies = command { id } else { nil }
            }
        }
        note()
        for round in 0..<1000 {
            fixture.say(.holds(copy(0, "m\(round)")), by: "a")
            note()
        }
        #expect(written.count == CoordinatorLimits.settlementsUnderWay)
        let first = try #require(written.first)
        fixture.feed(.ledger(first, .committed(fixture.coordinator.snapshot)))
        guard case .settleCopies(let all)? = fixture.commands.first?.command else {
            Issue.record("\(fixture.commands)")
            return
        }
        #expect(all.isEverything && all.worker == "a" && all.shards.contains { $0.kept.contains("m999") })
        let second = written[1]
        fixture.feed(.ledger(second, .committed(fixture.coordinator.snapshot)))
        #expect(!fixture.commands.contains { if case .settleCopies = $0.command { true } else { false } })
    }

    @Test("What another worker cleared on the same machine is settled, but never what a worker that is here holds")
    func cleared() {
        let (secret, other) = ("a secret", "another one")
        let gone = WorkerIdentity.id(secret: secret)
        var fixture = CoordinatorFixture(
            quarantined(), copies: [HandedCopy(worker: gone, name: "host:b", shard: 0, manifest: "m0")])
        fixture.hello("a")
        fixture.say(.cleared(worker: gone, secret: secret), by: "a")
        #expect(fixture.settlements.first?.worker == gone && fixture.settlements.first?.reason == .cleared)
        #expect(fixture.settlements.first?.isEverything == true)
        #expect(!fixture.status.workers.contains { $0.id == gone })
        let here = WorkerIdentity.id(secret: other)
        fixture.hello(here, copies: [copy(1, "m1")]) { $0.secret = other }
        #expect(fixture.refusals.isEmpty)
        fixture.say(.cleared(worker: here, secret: other), by: "a")
        #expect(fixture.settlements.isEmpty)
    }

    @Test("Nobody says of another machine's disk that it is cleared: that takes the secret of whose disk it was")
    func clearedElsewhere() {
        let (secret, name) = ("a secret", "host:b")
        let gone = WorkerIdentity.id(secret: secret)
        var fixture = CoordinatorFixture(
            quarantined(),
            copies: [HandedCopy(worker: gone, name: name, shard: 0, manifest: "m0"), lost])
        fixture.hello("a")
        for (worker, shown) in [(gone, nil), (gone, ""), (gone, "a guess"), ("b", nil), ("b", ""), ("b", secret)] {
            fixture.say(.cleared(worker: worker, secret: shown), by: "a")
            #expect(fixture.settlements.isEmpty, "\(worker) \(shown ?? "-")")
        }
        #expect(Set(fixture.status.workers.map(\.id)) == ["a", "b", gone])
        #expect(Set(fixture.status.pendingForgets.first?.unconfirmed.map(\.worker) ?? []) == ["b", gone])
        // The id of an earlier release is whose it was when it greeted last.
        fixture.hello("b", copies: [copy(0, "m0")]) { $0.secret = secret }
        fixture.feed(.unreachable(peer: fixture.peer("b")))
        fixture.say(.cleared(worker: "b", secret: "a guess"), by: "a")
        #expect(fixture.settlements.isEmpty)
        fixture.say(.cleared(worker: "b", secret: secret), by: "a")
        #expect(fixture.settlements.map(\.worker) == ["b"])
    }

    @Test("An operator declares a lost disk destroyed: by id or name, durably, once, and only of a worker that is away")
    func declared() throws {
        var fixture = CoordinatorFixture(quarantined(), copies: [lost])
        func forget(_ worker: String, shard: Int? = nil) -> ClientRequest {
            .forgetCopy(ClientRequest.ForgetCopyRequest(worker: worker, shard: shard))
        }
        fixture.ask(forget("nobody"), id: "1")
        #expect(fixture.errors.map(\.code) == [.unknownWorker])
        fixture.ask(forget("b", shard: 1), id: "2")
        #expect(fixture.errors.map(\.code) == [.noCopies])
        fixture.hello("a")
        fixture.ask(forget("a"), id: "3")
        #expect(fixture.errors.map(\.code) == [.workerLive])
        fixture.ask(forget("host:b"), id: "4")
        #expect(fixture.replies.isEmpty)
        let command = try #require(fixture.commands.first)
        guard case .forgetCopy(let word, let settlement) = command.command, word.request == "4" else {
            Issue.record("no command")
            return
        }
        #expect(settlement.reason == .destroyed && settlement.worker == "b")
        fixture.feed(.ledger(command.id, .committed(quarantined())))
        guard case .forgottenCopy = fixture.replies.first else {
            Issue.record("no answer")
            return
        }
        #expect(fixture.status.workers.first { $0.id == "b" }?.holds == [])
        // A client that heard nothing asks again under the same id.
        fixture.ask(forget("host:b"), id: "4")
        #expect(fixture.commands.isEmpty && fixture.errors.isEmpty && fixture.replies.count == 1)
    }

    @Test("A copy that could not be brought up to date is deleted as soon as a request concerns it, of whatever shard")
    func failedCopy() {
        var snapshot = CoordinatorFixture.snapshot(shards: 2, adapters: true)
        var fixture = CoordinatorFixture(snapshot)
        fixture.hello("a", copies: [ShardCopy(shard: 0, manifest: "old", prompts: 10, adapter: nil)])
        for id in 1...TaskID(CoordinatorLimits.attempts) {
            #expect(fixture.assignments.map(\.task) == [id] && fixture.assignments.map(\.shard) == [0])
            fixture.say(.failed(task: id, code: ErrorCode(rawValue: "test"), message: "no room"), by: "a")
        }
        #expect(fixture.assignments.isEmpty)
        #expect(fixture.messages(to: "a").allSatisfy { if case .release = $0 { false } else { true } })
        snapshot.shards[1].manifest = "m1-after"
        snapshot.shards[1].adapter = nil
        snapshot.pendingForgets = [
            LedgerSnapshot.PendingForget(id: "f", received: Date(timeIntervalSince1970: 0), waitingFor: [1])
        ]
        fixture.feed(.ledgerChanged(snapshot))
        #expect(fixture.messages(to: "a").contains { if case .release(shard: 0) = $0 { true } else { false } })
    }
}
