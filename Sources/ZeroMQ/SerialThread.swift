import Foundation

/// A thread of its own for a state that is not `Sendable`: the ledger's database, the query engine's decoder.
///
/// Work is done in the order in which it was given; what came meanwhile is handed over together.
package final class SerialThread<State, Work: Sendable>: Sendable {
    private enum Item: Sendable {
        case work(Work)
        case stop
    }

    private let inbox: Mailbox<Item>
    private let ended: Mailbox<Void>

    /// Makes the state on the thread and waits for it.
    ///
    /// - `perform`: returns whether it has more to do, and when: then it is called again though nothing was given.
    /// - Throws: whatever `make` throws.
    package init(
        name: String, make: @escaping @Sendable () throws -> State,
        perform: @escaping @Sendable (State, [Work]) -> SerialThreadRest
    ) throws {
        let inbox = try Mailbox<Item>()
        let started = try Mailbox<(any Error)?>()
        let ended = try Mailbox<Void>()
        self.inbox = inbox
        self.ended = ended
        let thread = Thread {
            do {
                let state = try make()
                started.post(nil)
                Self.serve(state, inbox, perform)
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

    package func post(_ work: Work) {
        inbox.post(.work(work))
    }

    /// Finishes what was given before and ends the thread.
    package func stop() {
        inbox.post(.stop)
        _ = ended.take()
    }

    private static func serve(
        _ state: State, _ inbox: Mailbox<Item>, _ perform: (State, [Work]) -> SerialThreadRest
    ) {
        var rest = SerialThreadRest.none
        while true {
            let items =
                switch rest {
                case .none: inbox.take()
                case .now: inbox.drain()
                case .by(let instant): inbox.take(timeout: instant - .now)
                }
            var works: [Work] = []
            var isLast = false
            for item in items {
                switch item {
                case .work(let work): if !isLast { works.append(work) }
                case .stop: isLast = true
                }
            }
            rest = perform(state, works)
            if isLast { return }
        }
    }
}

/// What a serial thread has left to do when nothing new is given.
package enum SerialThreadRest: Sendable {
    case none
    case now
    /// At this time at the latest, or with what is given before.
    case by(ContinuousClock.Instant)
}

extension SerialThread where Work == @Sendable (State) -> Void {
    package convenience init(name: String, make: @escaping @Sendable () throws -> State) throws {
        try self.init(name: name, make: make) { state, works in
            for work in works { work(state) }
            return .none
        }
    }

    package func run(_ body: Work) { post(body) }
}
