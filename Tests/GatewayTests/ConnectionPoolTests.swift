import Foundation
import Messages
import Testing
import ZeroMQ

@testable import Gateway

@Suite("Connections to the coordinator")
struct ConnectionPoolTests {
    /// Answers when it is told to; until then it looks whether it is still wanted.
    private final class Gate: Sendable {
        let isOpen = Locked(false)
        let begun = Locked(0)
        let left = Locked(0)
        let error = Locked<ClientError?>(nil)
    }

    private struct Connection: CoordinatorConnection {
        let gate: Gate
        var order: Locked<[String]>?

        func exchange(_ asking: CoordinatorDoor.Asking, isWanted: @escaping () -> Bool) throws
            -> CoordinatorDoor.Answers
        {
            gate.begun.withLock { $0 += 1 }
            if case .operation(let id)? = asking.requests.first { order?.withLock { $0.append(id) } }
            while !gate.isOpen.withLock({ $0 }) {
                guard isWanted() else {
                    gate.left.withLock { $0 += 1 }
                    throw ClientError(code: .cancelled, message: "left")
                }
                Thread.sleep(forTimeInterval: 0.002)
            }
            if let error = gate.error.withLock({ $0 }) { throw error }
            return asking.requests.map { _ in .success(Data("{}".utf8)) }
        }
    }

    private func pool(_ gate: Gate, connections: Int = 1, waiting: Int = 2) -> ConnectionPool {
        ConnectionPool(connections: connections, waiting: waiting, name: "test") { Connection(gate: gate) }
    }

    private func asking(_ deadline: Duration = .seconds(600)) -> CoordinatorDoor.Asking {
        CoordinatorDoor.Asking([.status], deadline: deadline)
    }

    private func wait(_ condition: @Sendable () -> Bool) async throws {
        for _ in 0..<20_000 where !condition() { try await Task.sleep(for: .milliseconds(5)) }
        #expect(condition())
    }

    @Test("Who comes when the queue is full is refused at once; those who wait are answered in turn")
    func full() async throws {
        let gate = Gate()
        let pool = pool(gate)
        let first = Task { try await pool.ask(asking()) }
        try await wait { gate.begun.withLock { $0 } == 1 }
        let others = (0..<2).map { _ in Task { try await pool.ask(asking()) } }
        try await wait { pool.waiting == 2 }
        await #expect(throws: Problem.queueFull) { try await pool.ask(asking()) }
        gate.isOpen.withLock { $0 = true }
        for task in [first] + others { #expect(try await task.value.count == 1) }
        #expect(gate.begun.withLock { $0 } == 3)
        pool.stop()
    }

    @Test("Questions: while more wait than there are connections the newest goes first, then all in turn")
    func newestFirst() async throws {
        let gate = Gate()
        let order = Locked<[String]>([])
        let pool = ConnectionPool(connections: 1, waiting: 9, name: "test", newestFirst: true) {
            Connection(gate: gate, order: order)
        }
        func ask(_ name: String) -> Task<CoordinatorDoor.Answers, any Error> {
            Task { try await pool.ask(CoordinatorDoor.Asking([.operation(id: name)], deadline: .seconds(600))) }
        }
        let first = ask("1")
        try await wait { gate.begun.withLock { $0 } == 1 }
        var others: [Task<CoordinatorDoor.Answers, any Error>] = []
        for number in 2...4 {
            others.append(ask("\(number)"))
            try await wait { pool.waiting == number - 1 }
        }
        // Who is gone makes nothing look overloaded.
        let gone = ask("5")
        try await wait { pool.waiting == 4 }
        gone.cancel()
        await #expect(throws: CancellationError.self) { try await gone.value }
        gate.isOpen.withLock { $0 = true }
        for task in [first] + others { _ = try await task.value }
        #expect(order.withLock { $0 } == ["1", "4", "3", "2"])
        pool.stop()
    }

    /// Asks under a name, as one of several who ask.
    private func ask(_ pool: ConnectionPool, _ name: String, by asker: String) -> Task<
        CoordinatorDoor.Answers, any Error
    > {
        var asking = CoordinatorDoor.Asking([.operation(id: name)], deadline: .seconds(600))
        asking.asker = asker
        return Task { [asking] in try await pool.ask(asking) }
    }

    @Test("Where one asker's requests fill the queue, they are refused, and nobody else's", arguments: [false, true])
    func flood(newestFirst: Bool) async throws {
        let gate = Gate()
        let order = Locked<[String]>([])
        let pool = ConnectionPool(connections: 1, waiting: 4, name: "test", newestFirst: newestFirst) {
            Connection(gate: gate, order: order)
        }
        let first = ask(pool, "f0", by: "flood")
        try await wait { gate.begun.withLock { $0 } == 1 }
        var flood: [Task<CoordinatorDoor.Answers, any Error>] = []
        for number in 1...4 {
            flood.append(ask(pool, "f\(number)", by: "flood"))
            try await wait { pool.waiting == number }
        }
        await #expect(throws: Problem.queueFull) { try await ask(pool, "f5", by: "flood").value }
        // The one that has waited longest makes room.
        let anna = ask(pool, "a", by: "anna")
        await #expect(throws: Problem.queueFull) { try await flood[0].value }
        let ben = ask(pool, "b", by: "ben")
        await #expect(throws: Problem.queueFull) { try await flood[1].value }
        // Nobody has more than one more than ben would have.
        await #expect(throws: Problem.queueFull) { try await ask(pool, "b2", by: "ben").value }
        gate.isOpen.withLock { $0 = true }
        for task in [first, anna, ben] + flood.suffix(2) { #expect(try await task.value.count == 1) }
        // Theirs go before the rest of the flood, whose turn was the last one.
        let answered = order.withLock { $0 }
        #expect(Set(answered[1...2]) == ["a", "b"] && Set(answered[3...4]) == ["f3", "f4"])
        pool.stop()
    }

    @Test("Everybody's turn comes round, however many one asks for")
    func turns() async throws {
        let gate = Gate()
        let order = Locked<[String]>([])
        let pool = ConnectionPool(connections: 1, waiting: 9, name: "test") { Connection(gate: gate, order: order) }
        var tasks = [ask(pool, "f0", by: "flood")]
        try await wait { gate.begun.withLock { $0 } == 1 }
        for (name, asker) in [("f1", "flood"), ("f2", "flood"), ("f3", "flood"), ("a1", "anna"), ("a2", "anna")] {
            let before = pool.waiting
            tasks.append(ask(pool, name, by: asker))
            try await wait { pool.waiting == before + 1 }
        }
        gate.isOpen.withLock { $0 = true }
        for task in tasks { _ = try await task.value }
        #expect(order.withLock { $0 } == ["f0", "a1", "f1", "a2", "f2", "f3"])
        pool.stop()
    }

    @Test("A passed deadline ends the waiting, in the queue and at the coordinator, which is left")
    func deadline() async throws {
        let gate = Gate()
        let pool = pool(gate)
        // Long enough for the other one to come meanwhile, however busy the machine is.
        let first = Task { try await pool.ask(asking(.seconds(3))) }
        try await wait { gate.begun.withLock { $0 } == 1 }
        await #expect(throws: Problem.deadline) { try await pool.ask(asking(.milliseconds(20))) }
        await #expect(throws: Problem.deadline) { try await first.value }
        try await wait { gate.left.withLock { $0 } == 1 }
        #expect(gate.begun.withLock { $0 } == 1)
        pool.stop()
    }

    @Test("Who is cancelled waits no longer, and takes no place in the queue")
    func cancellation() async throws {
        let gate = Gate()
        let pool = pool(gate)
        let first = Task { try await pool.ask(asking()) }
        try await wait { gate.begun.withLock { $0 } == 1 }
        let others = (0..<2).map { _ in Task { try await pool.ask(asking()) } }
        try await wait { pool.waiting == 2 }
        for task in others { task.cancel() }
        for task in others { await #expect(throws: CancellationError.self) { try await task.value } }
        let next = Task { try await pool.ask(asking()) }
        try await wait { pool.waiting == 1 }
        first.cancel()
        await #expect(throws: CancellationError.self) { try await first.value }
        try await wait { gate.left.withLock { $0 } == 1 }
        gate.isOpen.withLock { $0 = true }
        #expect(try await next.value.count == 1)
        pool.stop()
    }

    @Test("Where no coordinator answers, those who wait are told with the first")
    func unreachable() async throws {
        let gate = Gate()
        gate.error.withLock { $0 = ClientError(code: .unreachable, message: "nobody there") }
        let pool = pool(gate)
        let first = Task { try await pool.ask(asking()) }
        try await wait { gate.begun.withLock { $0 } == 1 }
        let others = (0..<2).map { _ in Task { try await pool.ask(asking()) } }
        try await wait { pool.waiting == 2 }
        gate.isOpen.withLock { $0 = true }
        for task in [first] + others { await #expect(throws: ClientError.self) { try await task.value } }
        #expect(gate.begun.withLock { $0 } == 1)
        pool.stop()
    }

    @Test("A stopped pool takes nothing, and tells who waits")
    func stopping() async throws {
        let gate = Gate()
        let pool = pool(gate)
        let first = Task { try await pool.ask(asking()) }
        try await wait { gate.begun.withLock { $0 } == 1 }
        let second = Task { try await pool.ask(asking()) }
        try await wait { pool.waiting == 1 }
        pool.stop()
        // Also whose answer is on its way: the coordinator may never give it.
        for task in [first, second] { await #expect(throws: Problem.draining) { try await task.value } }
        await #expect(throws: Problem.draining) { try await pool.ask(asking()) }
        gate.isOpen.withLock { $0 = true }
    }
}
