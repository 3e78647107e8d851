/// What time alone changes, and when: a heap of instants. An alarm that nothing needs any more costs one look.
struct Alarms: Sendable {
    enum Subject: Sendable {
        case anything
        case everything
        case shard(Int)
        case request(String)
        case copies(worker: String)
    }

    private var heap: [(time: CoordinatorInstant, subject: Subject)] = []

    mutating func add(_ subject: Subject, at time: CoordinatorInstant) {
        heap.append((time, subject))
        var child = heap.count - 1
        while child > 0, heap[child].time < heap[(child - 1) / 2].time {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    var next: CoordinatorInstant? { heap.first?.time }

    /// Takes out what is due.
    mutating func take(at now: CoordinatorInstant) -> [Subject] {
        var due: [Subject] = []
        while let first = heap.first, first.time <= now {
            due.append(first.subject)
            let last = heap.removeLast()
            guard !heap.isEmpty else { break }
            heap[0] = last
            sink()
        }
        return due
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < heap.count && heap[child].time < heap[least].time {
                least = child
            }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
