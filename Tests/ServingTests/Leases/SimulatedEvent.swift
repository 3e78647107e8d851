import Messages
import Serving

enum SimulatedEvent {
    enum ToCoordinator {
        case lease(LeaseRequest)
        case question(UInt64)
    }

    enum ToGateway {
        case grant(LeaseGrant)
        case refusal(UInt64)
        case revocation(Revocation)
        case material(SimulatedQuestion)
    }

    case coordinatorTick(run: Int)
    case forget
    case crash
    case restart
    case pause(gateway: Int)
    case kill(gateway: Int)
    case toCoordinator(gateway: Int, life: Int, ToCoordinator)
    case toGateway(gateway: Int, life: Int, ToGateway)
    case tick(gateway: Int, life: Int)
    case computed(gateway: Int, life: Int, SimulatedQuestion)

    /// Whose process has to run for it.
    var gateway: Int? {
        switch self {
        case .toGateway(let gateway, _, _), .tick(let gateway, _), .computed(let gateway, _, _): gateway
        case .coordinatorTick, .forget, .crash, .restart, .pause, .kill, .toCoordinator: nil
        }
    }
}

/// Events by time; those of the same time in the order in which they were planned. A binary heap.
struct EventQueue {
    private var heap: [(time: Int64, order: Int, event: SimulatedEvent)] = []
    private var planned = 0

    mutating func add(_ event: SimulatedEvent, at time: Int64) {
        planned += 1
        heap.append((time, planned, event))
        var child = heap.count - 1
        while child > 0, isBefore(child, (child - 1) / 2) {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func next() -> (time: Int64, event: SimulatedEvent)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            var parent = 0
            while true {
                var least = parent
                for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && isBefore(child, least) {
                    least = child
                }
                if least == parent { break }
                heap.swapAt(parent, least)
                parent = least
            }
        }
        return (first.time, first.event)
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        (heap[left].time, heap[left].order) < (heap[right].time, heap[right].order)
    }
}
