import Messages

/// The snapshot's pending forget requests by what they are asked for: what an event costs is not to depend on how many wait.
struct PendingForgets: Sendable {
    private var positions: [String: Int] = [:]
    /// Shards that any of them waits for.
    private(set) var waitingFor: Set<Int> = []
    /// Shards whose adapter any of them took away.
    private(set) var retrained: Set<Int> = []

    init(_ pending: [LedgerSnapshot.PendingForget]) {
        positions.reserveCapacity(pending.count)
        for (position, request) in pending.enumerated() {
            positions[request.id] = position
            waitingFor.formUnion(request.waitingFor)
            retrained.formUnion(request.retrained)
        }
    }

    func position(of id: String) -> Int? { positions[id] }
}

extension Coordinator {
    /// nil: it is finished, or was never heard of.
    func pendingForget(_ id: String) -> LedgerSnapshot.PendingForget? {
        pendingForgets.position(of: id).map { snapshot.pendingForgets[$0] }
    }
}
