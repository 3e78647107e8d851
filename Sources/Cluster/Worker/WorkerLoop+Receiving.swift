import Messages
import ZeroMQ

/// What comes from the coordinator, and whom the worker follows.
extension WorkerLoop {
    func receive(
        _ executor: ExecutorDescription, _ state: inout WorkerLogic, _ compute: ComputeThread,
        _ storage: StorageThread
    ) throws {
        for event in link.drain() {
            let frames: [[UInt8]]
            switch event {
            case .received(let received): frames = received
            case .dropped:
                logger.warning("dropped a message above the limits")
                continue
            case .undelivered(let error):
                logger.warning("cannot send: \(error)")
                continue
            case .broken(let error):
                logger.warning("the coordinator's messages make no sense, connecting again: \(error)")
                continue
            case .refused:
                // It may be put on the list later: the next attempt asks again.
                warn("the coordinator \(endpoint) \(cause)")
                try letGo(&state, compute, storage)
                continue
            case .outdated:
                link.connect(to: endpoint)
                try send(.hello(hello(executor, state)))
                continue
            case .full:
                logger.warning("cannot send: \(PortionLimits.heldBytes) bytes wait already")
                continue
            case .failed(let error): throw error
            }
            connection.received(at: now)
            let told = notes.received(at: now)
            if !told.isEmpty { storage.told(told) }
            let message: CoordinatorMessage
            do throws(WireError) {
                message = try CoordinatorMessage(frames: frames)
            } catch .unsupportedVersion(let version) {
                throw WorkerError.refused(
                    code: .otherProtocol, message: "the coordinator speaks protocol version \(version)")
            } catch {
                logger.warning("dropped a message: \(error)")
                continue
            }
            switch message {
            case .refused(.superseded, let message):
                // The right one may come back at this endpoint.
                logger.error("not followed: \(message)")
            case .refused(let code, let message): try refused(code, message, &state, compute, storage)
            case .welcome(let welcome):
                guard follows(welcome) else { continue }
                noteWelcome()
                connection.welcomed(welcome, at: now)
                link.beat(every: welcome.heartbeatSeconds)
                let name = welcome.name.map { " as \($0)" } ?? ""
                logger.info("connected to cluster \(welcome.cluster)\(name)")
                try perform(
                    state.handle(.connected(goingOnWith: welcome.work)), &state, compute, storage)
                if let cluster, cluster != welcome.cluster {
                    logger.warning("the shards kept here are of another cluster, \(cluster): they are deleted")
                    try perform(state.handle(.otherCluster), &state, compute, storage)
                }
                cluster = welcome.cluster
                storage.belong(to: welcome.cluster)
                if leavesAt != nil { try send(.leaving) }
            case .leave:
                guard connection.isConnected else { continue }
                logger.info("nothing is left to do here: leaving")
                mayLeave = true
            // Nobody is obeyed before a welcome that can be followed.
            default:
                guard connection.isConnected else { continue }
                if case .cancel(let task) = message { link.takeBack(.task(task)) }
                try perform(state.handle(.message(message)), &state, compute, storage)
            }
        }
    }

    /// Whether the coordinator comes after every other one of its cluster that this worker has seen. If not, it is given
    /// no answer but the next hello, which says what was seen.
    private func follows(_ welcome: CoordinatorMessage.Welcome) -> Bool {
        guard let generation = welcome.generation else {
            guard memory.generation(of: welcome.cluster) == nil else {
                logger.error("not followed: a coordinator of cluster \(welcome.cluster) that names no generation")
                return false
            }
            return true
        }
        do {
            guard let objection = try memory.objection(to: generation, of: welcome.cluster) else { return true }
            logger.error("not followed: \(objection)")
            return false
        } catch {
            logger.error("cannot remember the coordinator's generation: \(error)")
            return true
        }
    }
}
