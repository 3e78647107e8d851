import ZeroMQ

/// What a task waits for: it ends once, by an answer, its deadline or whoever waits, and whatever comes later is left.
final class SingleAnswer<Value: Sendable>: Sendable {
    private enum State {
        case none
        case waiting(CheckedContinuation<Value, any Error>)
        case ended(Result<Value, any Error>)
    }

    private let state = Locked(State.none)

    /// nil: it is open.
    var outcome: Result<Value, any Error>? {
        state.withLock { state in
            if case .ended(let result) = state { result } else { nil }
        }
    }

    func begin(_ continuation: CheckedContinuation<Value, any Error>) {
        let ended: Result<Value, any Error>? = state.withLock { state in
            if case .ended(let result) = state { return result }
            state = .waiting(continuation)
            return nil
        }
        if let ended { continuation.resume(with: ended) }
    }

    func end(_ result: Result<Value, any Error>) {
        let waiting: CheckedContinuation<Value, any Error>? = state.withLock { state in
            switch state {
            case .ended: return nil
            case .none:
                state = .ended(result)
                return nil
            case .waiting(let continuation):
                state = .ended(result)
                return continuation
            }
        }
        waiting?.resume(with: result)
    }
}
