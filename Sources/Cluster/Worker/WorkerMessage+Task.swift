import Messages

extension WorkerMessage {
    /// The task that this is the whole answer to.
    var task: TaskID? {
        switch self {
        case .trained(let task, _, _): task
        case .prepared(let task, _, _, _): task
        case .scored(let task, _, _, _), .embedded(let task, _, _, _), .need(let task, _): task
        default: nil
        }
    }
}
