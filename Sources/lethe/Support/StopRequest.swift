import Foundation

/// Whether somebody asked the command to stop. The first signal asks; the next ends the process at once.
final class StopRequest: @unchecked Sendable {
    private let lock = NSLock()
    private var isAsked = false
    private var sources: SignalSources?

    init() {
        sources = stopOnSignals { [weak self] in
            self?.ask()
            for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
        }
    }

    deinit { sources?.cancel() }

    var isSet: Bool { lock.withLock { isAsked } }

    private func ask() { lock.withLock { isAsked = true } }
}
