/// Whether the gateway is being stopped: then it is not ready, and live views end.
final class Draining: Sendable {
    private let state = Guarded(false)

    var isOn: Bool { state.get() }

    func begin() { state.set(true) }
}
