import Foundation
import Recommendation
import ZeroMQ

/// A thread of its own for a state that is not `Sendable`: the ledger's database, the query engine's decoder.
///
/// Work is done in the order in which it was given.
final class SerialThread<State>: Sendable {
    private enum Item: Sendable {
        case work(@Sendable (State) -> Void)
        case stop
    }

    private let inbox: Mailbox<Item>
    private let ended: Mailbox<Void>

    /// Makes the state on the thread and waits for it.
    ///
    /// - Throws: whatever `make` throws.
    init(name: String, make: @escaping @Sendable () throws -> State) throws {
        let inbox = try Mailbox<Item>()
        let started = try Mailbox<(any Error)?>()
        let ended = try Mailbox<Void>()
        self.inbox = inbox
        self.ended = ended
        let thread = Thread {
            do {
                let state = try make()
                started.post(nil)
                Self.serve(state, inbox)
            } catch {
                started.post(error)
            }
            ended.post(())
        }
        thread.name = name
        // Decoding checkpoints and sorting catalogues need more than a secondary thread's usual half megabyte.
        thread.stackSize = 8 << 20
        thread.start()
        if let error = started.take().first ?? nil { throw error }
    }

    func run(_ body: @escaping @Sendable (State) -> Void) {
        inbox.post(.work(body))
    }

    /// Finishes what was given before and ends the thread.
    func stop() {
        inbox.post(.stop)
        _ = ended.take()
    }

    private static func serve(_ state: State, _ inbox: Mailbox<Item>) {
        while true {
            for item in inbox.take() {
                switch item {
                case .work(let body): body(state)
                case .stop: return
                }
            }
        }
    }
}
