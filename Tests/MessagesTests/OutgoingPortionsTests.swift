import ClusterTestSupport
import Messages
import Recommendation
import Testing

@Suite("Long messages at their sending end")
struct OutgoingPortionsTests {
    private func long(task: TaskID, bytes: Int = 1 << 20) throws -> Parcel {
        try Parcel(CoordinatorMessage.prompts(task: task, prompts: [Self.prompt(bytes)]))
    }

    private static func prompt(_ bytes: Int) -> TrainingPrompt {
        TrainingPrompt(id: "p", instruction: "", input: String(repeating: "x", count: bytes), label: true)
    }

    private func assignment(task: TaskID, shard: Int) throws -> Parcel {
        let long = try long(task: task)
        return Parcel(frames: long.frames, about: [.task(task), .shard(shard)])
    }

    private func portions(_ given: [[[UInt8]]]) throws -> [PortionMessage] {
        try given.filter(PortionMessage.isOne).map { try PortionMessage(frames: $0) }
    }

    private func bytes(_ given: [[[UInt8]]]) throws -> Int {
        try portions(given).reduce(0) { if case .portion(let portion) = $1 { $0 + portion.bytes } else { $0 } }
    }

    @Test("Short messages go as they are, and pass between the portions of a long one")
    func passing() throws {
        var outgoing = OutgoingPortions()
        let beat = try CoordinatorMessage.heartbeat.frames()
        #expect(try outgoing.send(Parcel(CoordinatorMessage.heartbeat), at: 0) == [beat])
        let begun = try outgoing.send(long(task: 1), at: 0)
        #expect(try portions(begun).count == begun.count && bytes(begun) == PortionLimits.firstWindow)
        #expect(try outgoing.send(Parcel(CoordinatorMessage.heartbeat), at: 0) == [beat])
        let release = CoordinatorMessage.release(shard: 3)
        #expect(try outgoing.send(Parcel(release), at: 0) == [release.frames()])
        let taken = CoordinatorMessage.taken(task: 9)
        #expect(try outgoing.send(Parcel(taken), at: 0) == [taken.frames()])
    }

    @Test("What is about the same task, shard or adapters keeps its order")
    func order() throws {
        var outgoing = OutgoingPortions()
        _ = try outgoing.send(assignment(task: 1, shard: 3), at: 0)
        let small = Parcel(frames: [[1]], about: [.task(2), .shard(3)])
        #expect(try outgoing.send(small, at: 0).isEmpty)
        let behind = Parcel(frames: [[2]], about: [.task(2)])
        #expect(try outgoing.send(behind, at: 0).isEmpty)
        var given: [[[UInt8]]] = []
        while outgoing.heldBytes > 0 {
            let received = outgoing.sentBytes
            given += try outgoing.take(
                PortionCredit(received: received, upTo: received + PortionLimits.mostWindow), at: 0)
        }
        #expect(Array(given.suffix(2)) == [[[1]], [[2]]])
    }

    @Test("A stage goes before what its worker says of the copy that it lies beside, however long it is")
    func stageBeforeCopy() throws {
        var outgoing = OutgoingPortions()
        let reports = WireSamples.worker.compactMap { if case .staged(4, let report, _) = $0 { report } else { nil } }
        let report = try #require(reports.first)
        let stage = WorkerMessage.staged(task: 4, report, adapter: [UInt8](repeating: 1, count: 1 << 20))
        _ = try outgoing.send(Parcel(stage), at: 0)
        let holds = WorkerMessage.holds(WireSamples.copy)
        #expect(try outgoing.send(Parcel(holds), at: 0).isEmpty)
        var given: [[[UInt8]]] = []
        while outgoing.heldBytes > 0 {
            let received = outgoing.sentBytes
            given += try outgoing.take(
                PortionCredit(received: received, upTo: received + PortionLimits.mostWindow), at: 0)
        }
        #expect(try given.last == holds.frames())
    }

    @Test("A cancellation or a release takes back what it makes superfluous, cuts what is half-way, and goes at once")
    func takingBack() throws {
        var outgoing = OutgoingPortions()
        _ = try outgoing.send(assignment(task: 1, shard: 3), at: 0)
        _ = try outgoing.send(assignment(task: 2, shard: 4), at: 0)
        let held = outgoing.heldBytes
        let cancelled = try outgoing.send(Parcel(CoordinatorMessage.cancel(task: 2)), at: 0)
        #expect(cancelled == [try CoordinatorMessage.cancel(task: 2).frames()])
        #expect(outgoing.heldBytes < held)
        let released = try outgoing.send(Parcel(CoordinatorMessage.release(shard: 3)), at: 0)
        #expect(try portions(released) == [.cut(message: 1)])
        #expect(try released.last == CoordinatorMessage.release(shard: 3).frames())
        #expect(outgoing.heldBytes == 0)
        // Nothing was begun of it, so nothing need be cut.
        let credit = PortionCredit(received: PortionLimits.firstWindow, upTo: 2 * PortionLimits.mostWindow)
        #expect(throws: WireError.self) { _ = try outgoing.take(credit, at: 0) }
        var next = OutgoingPortions()
        _ = try next.send(assignment(task: 1, shard: 3), at: 0)
        #expect(next.takeBack(.task(5), at: 0).isEmpty)
    }

    @Test("A peer that reads nothing is given one window, and a bounded number of bytes waits for it")
    func bounds() throws {
        var outgoing = OutgoingPortions(limit: 8 << 20)
        var (taken, given) = (0, 0)
        while taken < 100 {
            guard let more = try? outgoing.send(long(task: TaskID(taken)), at: 0) else { break }
            taken += 1
            given += try bytes(more)
        }
        #expect(taken == 8 && given == PortionLimits.firstWindow && outgoing.heldBytes <= 8 << 20)
        #expect(outgoing.bytesOnTheWay == PortionLimits.firstWindow)
        #expect(throws: OutgoingPortions.Full.self) { _ = try outgoing.send(long(task: 1), at: 0) }
        // What is short and of nothing that waits still goes.
        #expect(try outgoing.send(Parcel(CoordinatorMessage.heartbeat), at: 0).count == 1)
        #expect(!outgoing.isStalled(at: PortionLimits.patience) && outgoing.isStalled(at: PortionLimits.patience + 1))
        for task in 0..<8 { _ = outgoing.takeBack(.task(TaskID(task)), at: 0) }
        #expect(outgoing.heldBytes == 0)
        // One message of any size may wait alone.
        #expect(throws: Never.self) { _ = try outgoing.send(long(task: 1, bytes: 9 << 20), at: 0) }
    }

    @Test("A greeting goes whole, whatever its length")
    func greeting() throws {
        let digest = String(repeating: "m", count: 64)
        let copies = (0..<300).map { ShardCopy(shard: $0, manifest: digest, prompts: 1, adapter: nil) }
        let hello = WorkerMessage.Hello(
            worker: "w", name: "n", protocolVersion: 1, base: "b", precision: .f32, arithmetic: "a", threads: 1,
            copies: copies)
        var outgoing = OutgoingPortions()
        #expect(try outgoing.send(Parcel(WorkerMessage.hello(hello)), at: 0) == [WorkerMessage.hello(hello).frames()])
    }

    @Test(
        "Credits that cannot be are refused",
        arguments: [(-1, 1 << 17), (1 << 17, 1 << 18), (0, 0), (0, 1 << 30), (.max, .max), (.min, .max), (0, .min)])
    func credits(received: Int, upTo: Int) throws {
        var outgoing = OutgoingPortions()
        _ = try outgoing.send(long(task: 1), at: 0)
        #expect(throws: WireError.self) { _ = try outgoing.take(PortionCredit(received: received, upTo: upTo), at: 0) }
    }
}
