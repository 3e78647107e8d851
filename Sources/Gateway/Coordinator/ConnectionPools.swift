/// The gateway's connections to the coordinator: what takes long holds none that something else waits for.
struct ConnectionPools: Sendable {
    private let questions: ConnectionPool
    /// An import may be taken in for minutes, each over its own.
    private let imports: ConnectionPool
    /// A forget request may wait for gateways that hang, or for a disk: it keeps only others of its kind waiting.
    private let forgets: ConnectionPool
    /// For what says whether the gateway is ready, and metrics.
    private let view: ConnectionPool
    private let others: ConnectionPool

    /// - Parameter connect: called on each thread, when it is first needed.
    init(_ limits: GatewayLimits, connect: @escaping @Sendable () throws -> any CoordinatorConnection) {
        func pool(_ name: String, _ connections: Int) -> ConnectionPool {
            ConnectionPool(
                connections: connections, waiting: limits.waitingOthers, name: "lethe-\(name)", connect: connect)
        }
        questions = ConnectionPool(
            connections: limits.questionConnections, waiting: limits.waitingQuestions, name: "lethe-questions",
            newestFirst: true, connect: connect)
        imports = pool("imports", limits.imports)
        forgets = pool("forgets", limits.forgetConnections)
        view = pool("view", 1)
        others = pool("others", limits.otherConnections)
    }

    /// - Parameter answer: answers questions instead; nil: the coordinator.
    func door(
        answer: (@Sendable (CoordinatorDoor.Asking) async throws -> CoordinatorDoor.Answers)? = nil
    ) -> CoordinatorDoor {
        CoordinatorDoor(
            askQuestions: { asking in
                if let answer { return try await answer(asking) }
                return try asking.prepared(try await questions.ask(asking))
            }, askOther: { try await pool(of: $0.lane).ask($0) },
            waiting: {
                let rest = [imports, forgets, view, others].map(\.waiting)
                return (questions.waiting, rest.reduce(0, +))
            })
    }

    private func pool(of lane: CoordinatorDoor.Lane) -> ConnectionPool {
        switch lane {
        case .imports: imports
        case .forgets: forgets
        case .view: view
        case .others: others
        }
    }

    /// Nothing is taken any more; who waits is told.
    func stop() {
        for pool in [questions, imports, forgets, view, others] { pool.stop() }
    }
}
