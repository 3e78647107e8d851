import ClusterTestSupport
import Coordination
import Messages
import Testing

@Suite("Workers that operators steer")
struct WorkerOrderTests {
    private func copy(_ shard: Int, _ manifest: String? = nil, adapter: String? = nil) -> ShardCopy {
        ShardCopy(shard: shard, manifest: manifest ?? "m\(shard)", prompts: 10, adapter: adapter)
    }

    /// The ledger takes the order at once.
    private func order(
        _ fixture: inout CoordinatorFixture, _ verb: WorkerOrder.Verb, _ worker: String, id: String = "o"
    ) -> CoordinatorReply? {
        fixture.ask(.order(WorkerOrder(worker: worker, verb: verb)), id: id)
        if let command = fixture.commands.first {
            fixture.feed(.ledger(command.id, .committed(fixture.coordinator.snapshot)))
        }
        return fixture.replies.first
    }

    private func owned(_ fixture: CoordinatorFixture) -> [[Int]] { fixture.status.workers.map(\.shards) }

    @Test("A drained worker finishes its training, gets nothing new, deletes what it holds, and is then told to leave")
    func drain() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 4))
        fixture.hello("a", copies: [copy(2), copy(3)])
        let task = try #require(fixture.assignments.first)
        #expect(task.shard == 2)
        fixture.hello("b")
        #expect(owned(fixture) == [[2, 3], [0, 1]])
        fixture.ask(.order(WorkerOrder(worker: "a", verb: .drain)), id: "o")
        let command = try #require(fixture.commands.first)
        // Nothing happens before the ledger has it.
        #expect(fixture.replies.isEmpty && fixture.messages(to: "a").isEmpty)
        fixture.feed(.ledger(command.id, .committed(fixture.coordinator.snapshot)))
        guard case .ordered(let reply) = try #require(fixture.replies.first) else {
            Issue.record("no reply")
            return
        }
        #expect(reply.name == "a" && reply.tasks == 1)
        // What it works on stays, everything else goes at once, as others' work and from its disk.
        #expect(fixture.messages(to: "a") == [.release(shard: 3)])
        #expect(owned(fixture) == [[2], [0, 1, 3]])
        fixture.say(.released(shard: 3), by: "a")
        #expect(!fixture.messages(to: "a").contains(.leave))
        fixture.say(
            CoordinatorFixture.report(task: task.task, shard: task.shard, manifest: task.manifest, adapter: "x"),
            by: "a")
        #expect(fixture.messages(to: "a").contains(.release(shard: task.shard)))
        #expect(!fixture.messages(to: "a").contains(.leave))
        #expect(fixture.assignments.filter { $0.worker == "a" }.isEmpty)
        fixture.say(.released(shard: task.shard), by: "a")
        #expect(fixture.messages(to: "a") == [.leave])
        // It may be lost on the way.
        fixture.wait(9_000, beating: ["a", "b"])
        #expect(!fixture.messages(to: "a").contains(.leave))
        fixture.wait(2_000, beating: ["a", "b"])
        #expect(fixture.messages(to: "a").contains(.leave))
        fixture.say(.goodbye(deleted: []), by: "a")
        let gone = try #require(fixture.status.workers.first)
        #expect(gone.state == .away && gone.awayBecause == "drained, it said goodbye" && gone.holds.isEmpty)
        // Whoever starts it again wants it to work.
        #expect(gone.duty == .work && fixture.fleet["a"]?.duty == .work)
    }

    /// Told to leave, with nothing left, and then nothing more is heard.
    private func leftWithoutGoodbye(uptime: Double?) -> CoordinatorFixture {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true))
        fixture.hello("a", copies: [copy(0, adapter: "a0")]) { ($0.name, $0.uptimeSeconds) = ("pod:1", uptime) }
        _ = order(&fixture, .drain, "a")
        fixture.say(.released(shard: 0), by: "a")
        #expect(fixture.messages(to: "a") == [.leave])
        return fixture
    }

    @Test(arguments: [true, false])
    func `A drained worker whose goodbye is lost has left all the same, and works when it is started again`(
        isClosed: Bool
    ) throws {
        var fixture = leftWithoutGoodbye(uptime: 60)
        if isClosed { fixture.feed(.unreachable(peer: fixture.peer("a"))) } else { fixture.wait(20_000) }
        let gone = try #require(fixture.status.workers.first)
        #expect(gone.state == .away && gone.duty == .work && fixture.fleet["a"]?.duty == .work)
        #expect(gone.awayBecause?.hasPrefix("drained; ") == true, "\(gone)")
        fixture.wait(30_000)
        // In a container every process has the same number.
        fixture.hello("a", peer: "a2") { ($0.name, $0.uptimeSeconds) = ("pod:1", 1) }
        #expect(fixture.status.workers.first?.duty == .work && fixture.messages(to: "a2").contains(.leave) == false)
        #expect(fixture.status.shards.map(\.owner) == ["a"])
    }

    @Test func `One that only lost its connection when it was told to leave is told again`() throws {
        for uptime in [60.0, nil] {
            var fixture = leftWithoutGoodbye(uptime: uptime)
            fixture.feed(.unreachable(peer: fixture.peer("a")))
            fixture.wait(5_000)
            fixture.hello("a", peer: "a2") { ($0.name, $0.uptimeSeconds) = ("pod:1", uptime.map { $0 + 5 }) }
            #expect(fixture.status.workers.first?.duty == .drain && fixture.assignments.isEmpty)
            #expect(fixture.messages(to: "a2").contains(.leave))
        }
    }

    @Test(arguments: [true, false])
    func `The next process of a drained worker works, though it greets before the loss of the first was noticed`(
        hasOwnNumber: Bool
    ) throws {
        var fixture = leftWithoutGoodbye(uptime: 60)
        fixture.wait(1000)
        fixture.hello("a", peer: "a2") {
            ($0.name, $0.uptimeSeconds) = (hasOwnNumber ? "pod:2" : "pod:1", hasOwnNumber ? nil : 0.5)
        }
        #expect(fixture.status.workers.first?.duty == .work && fixture.fleet["a"]?.duty == .work)
        fixture.feed(.unreachable(peer: fixture.peer("a")))
        fixture.wait(20_000, beating: ["a2"])
        #expect(!fixture.messages(to: "a2").contains(.leave))
        #expect(fixture.status.shards.map(\.owner) == ["a"])
    }

    @Test func `The same process that greets anew at once is drained still`() {
        for uptime in [60.0, nil] {
            var fixture = leftWithoutGoodbye(uptime: uptime)
            fixture.wait(1000)
            fixture.hello("a", peer: "a2") { ($0.name, $0.uptimeSeconds) = ("pod:1", uptime.map { $0 + 1 }) }
            #expect(fixture.status.workers.first?.duty == .drain && fixture.assignments.isEmpty)
            #expect(fixture.messages(to: "a2").contains(.leave))
        }
    }

    @Test func `A drained worker with nothing left works when it is started again while the coordinator was away`() {
        let record = WorkerRecord(worker: "a", name: "a", process: "pod:1", duty: .drain, absence: nil)
        func restarted(copies: [HandedCopy] = []) -> CoordinatorFixture {
            CoordinatorFixture(
                CoordinatorFixture.snapshot(shards: 1, requested: false), copies: copies,
                workers: [RememberedWorker(record: record)])
        }
        var fixture = restarted()
        fixture.wait(5000)
        fixture.hello("a") { ($0.name, $0.uptimeSeconds) = ("pod:1", 1) }
        #expect(fixture.status.workers.first?.duty == .work && fixture.fleet["a"]?.duty == .work)
        // The process of before is to be drained still, and so is one that may hold something.
        fixture = restarted()
        fixture.wait(5000)
        fixture.hello("a") { ($0.name, $0.uptimeSeconds) = ("pod:1", 60) }
        #expect(fixture.status.workers.first?.duty == .drain && fixture.messages(to: "a").contains(.leave))
        fixture = restarted(copies: [HandedCopy(worker: "a", name: "a", shard: 0, manifest: "m0")])
        #expect(fixture.status.workers.first?.duty == .drain)
    }

    @Test func `One that may still hold something is not drained by losing its connection`() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true))
        fixture.hello("a", copies: [copy(0, adapter: "a0")])
        _ = order(&fixture, .drain, "a")
        fixture.feed(.unreachable(peer: fixture.peer("a")))
        #expect(fixture.status.workers.first?.duty == .drain && fixture.fleet["a"]?.duty == .drain)
    }

    @Test func `Draining one that is away and holds nothing is done at once, and it works when it is started again`() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, requested: false))
        fixture.hello("a") { ($0.name, $0.uptimeSeconds) = ("pod:1", 60) }
        fixture.feed(.unreachable(peer: fixture.peer("a")))
        fixture.wait(10_000)
        fixture.ask(.order(WorkerOrder(worker: "a", verb: .drain)), id: "o")
        let commands = fixture.commands
        // The audit log says what was ordered.
        #expect(
            commands.contains { if case .setDuty(_, let record) = $0.command { record.duty == .drain } else { false } })
        for command in commands { fixture.feed(.ledger(command.id, .committed(fixture.coordinator.snapshot))) }
        #expect(fixture.replies.count == 1 && fixture.status.workers.first?.duty == .work)
        #expect(fixture.fleet["a"]?.duty == .work)
        // The process that was away then is to be drained; the next one is not.
        var (old, new) = (fixture, fixture)
        old.hello("a", peer: "a2") { ($0.name, $0.uptimeSeconds) = ("pod:1", 70) }
        #expect(old.status.workers.first?.duty == .drain && old.messages(to: "a2").contains(.leave))
        new.hello("a", peer: "a2") { ($0.name, $0.uptimeSeconds) = ("pod:1", 1) }
        #expect(new.status.workers.first?.duty == .work && !new.messages(to: "a2").contains(.leave))
        _ = order(&fixture, .resume, "a", id: "o2")
        fixture.hello("a", peer: "a2") { ($0.name, $0.uptimeSeconds) = ("pod:1", 70) }
        #expect(fixture.status.workers.first?.duty == .work)
    }

    @Test("The last worker can be drained too: its shards are nobody's until another one comes")
    func last() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true))
        fixture.hello("a", copies: [copy(0, adapter: "a0")])
        _ = order(&fixture, .drain, "a")
        #expect(fixture.messages(to: "a") == [.release(shard: 0)])
        fixture.say(.released(shard: 0), by: "a")
        #expect(fixture.messages(to: "a") == [.leave])
        fixture.say(.goodbye(deleted: []), by: "a")
        fixture.hello("b")
        #expect(fixture.status.shards.map(\.owner) == ["b"])
    }

    @Test("A paused worker gets no new work and keeps what it holds; what must be trained is trained by others")
    func pause() throws {
        var snapshot = CoordinatorFixture.snapshot(shards: 2, adapters: true)
        var fixture = CoordinatorFixture(snapshot)
        fixture.hello("a", copies: [copy(0, adapter: "a0")])
        fixture.hello("b", copies: [copy(1, adapter: "a1")])
        _ = order(&fixture, .pause, "a")
        fixture.wait(10_000, beating: ["a", "b"])
        #expect(fixture.assignments.isEmpty && owned(fixture) == [[0], [1]])
        #expect(!fixture.messages(to: "a").contains(.release(shard: 0)))
        // Both shards change: both are the other's now, one after the other.
        for index in 0..<2 {
            snapshot.shards[index].manifest = "n\(index)"
            snapshot.shards[index].adapter = nil
        }
        fixture.feed(.ledgerChanged(snapshot))
        #expect(owned(fixture) == [[], [0, 1]])
        #expect(Set(fixture.assignments.map(\.worker)) == ["b"])
        // Its copy is old data by now.
        #expect(fixture.messages(to: "a").contains(.release(shard: 0)))
        #expect(!fixture.messages(to: "a").contains(.leave))
        _ = order(&fixture, .resume, "a", id: "o2")
        fixture.say(.released(shard: 0), by: "a")
        #expect(fixture.status.workers.map(\.shards.count) == [1, 1])
    }

    @Test("Where every worker is paused, nothing is trained, and status says why")
    func everybody() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        let task = fixture.assignments.first?.task ?? 0
        _ = order(&fixture, .pause, "a")
        fixture.say(CoordinatorFixture.report(task: task, shard: 0, manifest: "m0", adapter: "a0"), by: "a")
        // The ledger has not taken the adapter: it is to be trained again.
        for command in fixture.commands {
            fixture.feed(.ledger(command.id, .failed(ClientError(code: ErrorCode(rawValue: "stale"), message: ""))))
        }
        fixture.wait(20_000, beating: ["a"])
        #expect(fixture.assignments.isEmpty)
        #expect(fixture.status.activity.contains("paused"), "\(fixture.status.activity)")
        _ = order(&fixture, .resume, "a", id: "o2")
        #expect(fixture.assignments.map(\.worker) == ["a"])
    }

    @Test("A worker that is asked to end gets no new work, keeps its data, and is told to go when its task is done")
    func leaving() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 3))
        fixture.hello("a")
        let task = try #require(fixture.assignments.first)
        fixture.hello("b")
        fixture.say(.leaving, by: "a")
        #expect(fixture.messages(to: "a").isEmpty && fixture.status.workers[0].isLeaving == true)
        fixture.say(CoordinatorFixture.report(task: task.task, shard: 0, manifest: "m0", adapter: "a0"), by: "a")
        #expect(fixture.messages(to: "a").contains(.leave))
        #expect(fixture.assignments.allSatisfy { $0.worker == "b" })
        fixture.say(.goodbye(deleted: []), by: "a")
        #expect(fixture.status.workers[0].holds == [0])
        // A new process of it works.
        fixture.hello("a", peer: "a2", copies: [copy(0, adapter: "a0")])
        #expect(fixture.status.workers[0].isLeaving == false)
    }

    @Test("A worker of a release that does not know how to leave is left alone once it is drained")
    func older() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true))
        fixture.hello("a") { $0.knowsLeave = nil }
        _ = order(&fixture, .drain, "a")
        fixture.wait(20_000, beating: ["a"])
        #expect(!fixture.messages(to: "a").contains(.leave) && fixture.assignments.isEmpty)
    }

    @Test("An order outlives coordinator and worker until it is withdrawn")
    func durable() {
        let record = WorkerRecord(worker: "a", name: "a", process: "h:1", duty: .pause)
        var fixture = CoordinatorFixture(
            CoordinatorFixture.snapshot(shards: 1), workers: [RememberedWorker(record: record)])
        fixture.hello("a")
        #expect(fixture.assignments.isEmpty && fixture.status.workers[0].duty == .pause)
        _ = order(&fixture, .resume, "a")
        #expect(fixture.assignments.map(\.worker) == ["a"])
    }

    /// A start of a worker that keeps nothing, under its name.
    private func start(
        _ fixture: inout CoordinatorFixture, _ id: String, name: String? = "pod", isEphemeral: Bool = true
    ) {
        fixture.hello(id) { ($0.label, $0.name, $0.isEphemeral) = (name, "host:1", isEphemeral) }
    }

    private func duties(_ fixture: CoordinatorFixture) -> [String: WorkerDuty?] {
        Dictionary(fixture.status.workers.map { ($0.id, $0.duty) }, uniquingKeysWith: { first, _ in first })
    }

    @Test(arguments: [true, false])
    func `An ephemeral worker with a name stays paused over its restarts, until it is resumed by that name`(
        saysGoodbye: Bool
    ) {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, requested: false))
        func end(_ id: String) {
            if saysGoodbye {
                fixture.say(.goodbye(deleted: []), by: id)
            } else {
                fixture.feed(.unreachable(peer: fixture.peer(id)))
            }
        }
        start(&fixture, "1")
        #expect(order(&fixture, .pause, "pod").flatMap(\.error) == nil)
        end("1")
        // It is to be seen that somebody is to come back paused.
        #expect(duties(fixture) == ["1": .pause] && fixture.fleet["1"]?.duty == .pause)
        start(&fixture, "2")
        #expect(duties(fixture) == (saysGoodbye ? ["2": .pause] : ["1": .pause, "2": .pause]))
        #expect(fixture.fleet.mapValues(\.duty) == (saysGoodbye ? ["2": .pause] : ["1": .pause, "2": .pause]))
        end("2")
        start(&fixture, "3")
        #expect(duties(fixture)["3"] == .pause)
        // Of all lives that may be on the list the one that is here is meant.
        #expect(order(&fixture, .resume, "pod", id: "o2").flatMap(\.error) == nil)
        #expect(duties(fixture).values.allSatisfy { $0 == .work } && fixture.fleet["3"]?.duty == .work)
        #expect(fixture.fleet.values.allSatisfy { $0.duty == .work })
        end("3")
        start(&fixture, "4")
        #expect(duties(fixture)["4"] == .work)
    }

    @Test(arguments: [true, false])
    func `It can be resumed while it is not there, and is then forgotten as others are`(saysGoodbye: Bool) {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, requested: false))
        for id in ["1", "2"] {
            start(&fixture, id)
            if id == "1" { _ = order(&fixture, .pause, "pod") }
            if saysGoodbye {
                fixture.say(.goodbye(deleted: []), by: id)
            } else {
                fixture.feed(.unreachable(peer: fixture.peer(id)))
            }
        }
        #expect(order(&fixture, .resume, "pod", id: "o2").flatMap(\.error) == nil)
        #expect(duties(fixture) == (saysGoodbye ? [:] : ["1": .work, "2": .work]))
        start(&fixture, "3")
        #expect(duties(fixture)["3"] == .work)
    }

    @Test func `So it is over a restart of the coordinator`() {
        let record = WorkerRecord(
            worker: "1", name: "pod", process: "host:1", isEphemeral: true, duty: .pause, absence: "it said goodbye")
        var fixture = CoordinatorFixture(
            CoordinatorFixture.snapshot(shards: 1), workers: [RememberedWorker(record: record, awaySeconds: 60)])
        start(&fixture, "2")
        #expect(duties(fixture) == ["2": .pause] && fixture.assignments.isEmpty)
    }

    @Test func `Neither another name, nor none, nor a worker with a folder of its own takes a pause over`() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, requested: false))
        start(&fixture, "1")
        _ = order(&fixture, .pause, "1")
        fixture.say(.goodbye(deleted: []), by: "1")
        start(&fixture, "2", name: "pod-2")
        start(&fixture, "3", name: nil)
        start(&fixture, "4", isEphemeral: false)
        #expect(duties(fixture) == ["1": .pause, "2": .work, "3": .work, "4": .work])
        // Without a name nothing says that the next one is the same.
        _ = order(&fixture, .pause, "3", id: "o3")
        fixture.say(.goodbye(deleted: []), by: "3")
        start(&fixture, "5", name: nil)
        #expect(duties(fixture) == ["1": .pause, "2": .work, "4": .work, "5": .work])
    }

    @Test("A worker that is here cannot be removed; one that is away is, with what its disk may hold")
    func remove() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true))
        fixture.hello("a", copies: [copy(0, adapter: "a0")])
        #expect(order(&fixture, .remove, "a").flatMap(\.error)?.code == .workerLive)
        fixture.say(.goodbye(deleted: []), by: "a")
        fixture.ask(.order(WorkerOrder(worker: "a", verb: .remove)), id: "r")
        let command = try #require(fixture.commands.first)
        guard case .forgetCopy(let word, let settlement) = command.command, word.request == "r" else {
            Issue.record("\(command.command)")
            return
        }
        #expect(settlement.reason == .destroyed && settlement.removesWorker && settlement.isEverything)
        #expect(settlement.shards == [.init(shard: 0, kept: [])])
        #expect(fixture.status.workers.count == 1)
        fixture.feed(.ledger(command.id, .committed(fixture.coordinator.snapshot)))
        guard case .ordered(let reply) = try #require(fixture.replies.first) else {
            Issue.record("no reply")
            return
        }
        #expect(reply.verb == .remove && reply.shards == [0] && fixture.status.workers.isEmpty)
        // Asked again by the same id the answer is the same; by another one nobody is there.
        #expect(order(&fixture, .remove, "a", id: "r").flatMap(\.error) == nil)
        #expect(order(&fixture, .remove, "a", id: "s").flatMap(\.error)?.code == .unknownWorker)
        // Should it come back all the same, its copy counts.
        fixture.hello("a", peer: "a2", copies: [copy(0, "old")])
        #expect(fixture.status.workers[0].holds == [0] && fixture.fleet.keys.sorted() == ["a"])
    }

    @Test("One that holds nothing is removed as well, and a name that two have is asked for by id")
    func ambiguous() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, requested: false))
        for id in ["a", "b"] { fixture.hello(id) { $0.label = "twin" } }
        let error = order(&fixture, .pause, "twin").flatMap(\.error)
        #expect(error?.code == .unknownWorker && error?.message.contains("a, b") == true, "\(error?.message ?? "")")
        fixture.say(.goodbye(deleted: []), by: "b")
        _ = order(&fixture, .remove, "b", id: "r")
        #expect(fixture.status.workers.map(\.id) == ["a"])
        #expect(order(&fixture, .pause, "twin", id: "p").flatMap(\.error) == nil)
    }

    @Test("What the ledger cannot write did not happen, and whoever asked is told")
    func diskFull() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, requested: false))
        fixture.hello("a")
        fixture.ask(.order(WorkerOrder(worker: "a", verb: .drain)), id: "o")
        let command = try #require(fixture.commands.first)
        fixture.feed(.ledger(command.id, .failed(ClientError(code: .diskFull, message: "no room"))))
        #expect(fixture.errors.map(\.code) == [.diskFull])
        #expect(fixture.status.workers[0].duty == .work && fixture.messages(to: "a").isEmpty)
    }
}

extension CoordinatorReply {
    fileprivate var error: ClientError? {
        if case .failure(let error) = self { error } else { nil }
    }
}
