/// Operations in the order in which they came, each found by its id.
struct Operations: Sendable, RandomAccessCollection {
    private var elements: [Operation] = []
    private var positions: [String: Int] = [:]
    private(set) var runningForgets = 0
    private(set) var runningOthers = 0
    /// Ids of those that are no forget requests, and of which something may yet become.
    private(set) var openOthers: Set<String> = []
    /// Ids of forget requests for which copies may hold something.
    private(set) var suspecting: Set<String> = []

    var startIndex: Int { elements.startIndex }
    var endIndex: Int { elements.endIndex }
    subscript(position: Int) -> Operation { elements[position] }

    /// nil: there is none of this id.
    subscript(id: String) -> Operation? { positions[id].map { elements[$0] } }

    /// Those of which something may yet become.
    var open: [Operation] {
        elements.filter(\.isOpen)
    }

    /// Those that have one of the ids, in their order.
    func inOrder(_ ids: some Sequence<String>) -> [Operation] {
        ids.compactMap { positions[$0] }.sorted().map { elements[$0] }
    }

    mutating func append(_ operation: Operation) {
        positions[operation.id] = elements.count
        elements.append(operation)
        count(operation, by: 1)
    }

    mutating func update(_ id: String, _ change: (inout Operation) -> Void) {
        guard let position = positions[id] else { return }
        count(elements[position], by: -1)
        change(&elements[position])
        count(elements[position], by: 1)
    }

    mutating func remove(_ ids: Set<String>) {
        guard !ids.isEmpty else { return }
        for position in elements.indices where ids.contains(elements[position].id) {
            count(elements[position], by: -1)
        }
        elements.removeAll { ids.contains($0.id) }
        positions = [:]
        for position in elements.indices { positions[elements[position].id] = position }
    }

    /// Drops the oldest that ended, but for so many.
    mutating func dropEnded(keeping kept: Int, where isDroppable: (Operation) -> Bool) {
        let running = runningForgets + runningOthers
        guard elements.count - running > kept else { return }
        let ended = elements.indices.filter { elements[$0].state != .running && isDroppable(elements[$0]) }
        remove(Set(ended.dropLast(kept).map { elements[$0].id }))
    }

    private mutating func count(_ operation: Operation, by difference: Int) {
        if case .forget(let forgetting) = operation.course {
            if difference > 0, !forgetting.suspects.isEmpty {
                suspecting.insert(operation.id)
            } else {
                suspecting.remove(operation.id)
            }
        } else if difference > 0, operation.isOpen {
            openOthers.insert(operation.id)
        } else {
            openOthers.remove(operation.id)
        }
        guard operation.state == .running else { return }
        if operation.isForget { runningForgets += difference } else { runningOthers += difference }
    }
}
