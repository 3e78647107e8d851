import ClusterTestSupport
import Coordination
import Messages

/// What can happen in the simulated cluster.
enum SimulationEvent {
    case tick(life: Int)
    /// Something for the coordinator that did not travel: answers of its shell.
    case shell(CoordinatorEvent, life: Int)
    case ledger(LedgerCommandID, LedgerCommand, life: Int)
    /// What the ledger's thread does in its turn.
    case behindLedger(CoordinatorAction, life: Int)
    case toCoordinator(PeerID, WorkerMessage)
    case toWorker(Int, PeerID, CoordinatorMessage)
    case workerTimer(Int, incarnation: Int)
    case jobDone(Int, incarnation: Int, job: Int)
    case startWorker(Int)
    case crashWorker(Int)
    /// The worker's process is asked to end; it goes on until then at most.
    case terminateWorker(Int, until: Int64)
    case endWorker(Int, incarnation: Int)
    case startCoordinator
    case crashCoordinator
    case partition(Int, until: Int64)
    /// The coordinator's process gets no time.
    case pause(until: Int64)
    case diskFull(Bool)
    case refuse(Set<ModelLedger.Refusal>)
    case clientSends(Int)
    case clientHears(Int, CoordinatorReply)

    /// Whether the coordinator's process has to run for it.
    var isForCoordinator: Bool {
        switch self {
        case .tick, .shell, .ledger, .behindLedger, .toCoordinator, .clientSends: true
        case .toWorker, .workerTimer, .jobDone, .startWorker, .crashWorker, .terminateWorker, .endWorker,
            .startCoordinator, .crashCoordinator, .partition, .pause, .diskFull, .refuse, .clientHears:
            false
        }
    }
}

/// Events by time; those of the same time in the order in which they were planned.
struct SimulationQueue {
    private struct Entry {
        var time: Int64
        var sequence: Int
        var event: SimulationEvent

        func isBefore(_ other: Entry) -> Bool {
            (time, sequence) < (other.time, other.sequence)
        }
    }

    private var heap: [Entry] = []
    private var sequence = 0

    mutating func plan(_ event: SimulationEvent, at time: Int64) {
        heap.append(Entry(time: time, sequence: sequence, event: event))
        sequence += 1
        var child = heap.count - 1
        while child > 0, heap[child].isBefore(heap[(child - 1) / 2]) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func next() -> (time: Int64, event: SimulationEvent)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            var parent = 0
            while true {
                var least = parent
                for child in [2 * parent + 1, 2 * parent + 2]
                where child < heap.count && heap[child].isBefore(heap[least]) {
                    least = child
                }
                guard least != parent else { break }
                heap.swapAt(parent, least)
                parent = least
            }
        }
        return (first.time, first.event)
    }
}
