import Foundation
import ZeroMQ

/// A thread of its own for a state that is not `Sendable`: the ledger's database, the query engine's decoder.
///
/// Work is done in the order in which it was given; what came meanwhile is handed over together. Work that gains from company
/// may wait for it a moment.
final class SerialThread<State, Work: Sendable>: Sendable {
    private enum Item: Sendable {
        case work(Work)
        case stop
    }

    private let inbox: Mailbox<Item>
    private let ended: Mailbox<Void>

    /// For how long work waits that gains from company, unless it is so much that it has enough in itself.
    static var companyPatience: Duration { .milliseconds(10) }
    static var company: Int { 8 }

    /// Makes the state on the thread and waits for it.
    ///
    /// - Parameters:
    ///   - gainsFromCompany: work that is handed over `companyPatience` later where nothing else is there to be done.
    ///   - perform: returns whether it has more to do: then it is called again without waiting.
    /// - Throws: whatever `make` throws.
    init(
        name: String, make: @escaping @Sendable () throws -> State,
        gainsFromCompany: @escaping @Sendable (Work) -> Bool = { _ in false },
        perform: @escaping @Sendable (State, [Work]) -> Bool
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
                Self.serve(state, inbox, gainsFromCompany, perform)
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

    func post(_ work: Work) {
        inbox.post(.work(work))
    }

    /// Finishes what was given before and ends the thread.
    func stop() {
        inbox.post(.stop)
        _ = ended.take()
    }

    private static func serve(
        _ state: State, _ inbox: Mailbox<Item>, _ gainsFromCompany: (Work) -> Bool, _ perform: (State, [Work]) -> Bool
    ) {
        var hasMore = false
        while true {
            var works: [Work] = []
            var isLast = false
            func add(_ items: [Item]) {
                for item in items {
                    switch item {
                    case .work(let work): if !isLast { works.append(work) }
                    case .stop: isLast = true
                    }
                }
            }
            add(hasMore ? inbox.drain() : inbox.take())
            let end = ContinuousClock.now + companyPatience
            while !hasMore, !isLast, (1..<company).contains(works.count), works.allSatisfy(gainsFromCompany) {
                let items = inbox.take(timeout: end - .now)
                add(items)
                if items.isEmpty { break }
            }
            hasMore = perform(state, works)
            if isLast { return }
        }
    }
}

extension SerialThread where Work == @Sendable (State) -> Void {
    convenience init(name: String, make: @escaping @Sendable () throws -> State) throws {
        try self.init(name: name, make: make) { state, works in
            for work in works { work(state) }
            return false
        }
    }

    func run(_ body: Work) { post(body) }
}
