import Messages

/// Another coordinator of the same cluster, heard of from a worker.
extension Coordinator {
    /// What a worker remembers of a coordinator that this one does not come after; nil: nothing.
    func superseding(_ hello: WorkerMessage.Hello) -> SupersededCoordinator? {
        guard let own = settings.generation,
            let known = hello.known?.first(where: { $0.cluster == settings.cluster })?.generation
        else { return nil }
        switch own.relation(to: known) {
        case .same, .newer: return nil
        case .older, .conflict:
            return SupersededCoordinator(cluster: settings.cluster, generation: own, known: known)
        }
    }

    /// Whoever follows another coordinator is given nothing; the service ends this one.
    mutating func giveWay(to other: SupersededCoordinator, peer: PeerID) {
        log("superseded by generation \(other.known.counter)")
        send(.refused(code: .superseded, message: other.description), to: peer)
        actions.append(.superseded(other))
    }
}
