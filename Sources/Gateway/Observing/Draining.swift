import ZeroMQ

/// Whether the gateway is being stopped: then it is not ready, and live views end.
final class Draining: Sendable {
    private let state = Locked(false)

    var isOn: Bool { state.withLock { $0 } }

    func begin() { state.withLock { $0 = true } }
}
