import Dispatch
import Files
import Foundation
import ZeroMQ

/// Calls the body at SIGINT and SIGTERM, or at these, instead of dying of them.
func stopOnSignals(_ signals: [Int32] = [SIGINT, SIGTERM], _ body: @escaping @Sendable () -> Void) -> SignalSources {
    SignalSources(
        signals.map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler(handler: body)
            source.resume()
            return source
        })
}

/// SIGHUP, which asks a service to read its files again: kept until somebody can do so, and never the end of the process.
final class HangUp {
    private struct State {
        var body: (@Sendable () -> Void)?
        var isWaiting = false
    }

    private let state: Locked<State>
    private let queue: DispatchQueue
    private let source: any DispatchSourceSignal

    init() {
        let state = Locked(State())
        let queue = DispatchQueue(label: "hang-up")
        (self.state, self.queue) = (state, queue)
        signal(SIGHUP, SIG_IGN)
        source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: queue)
        source.setEventHandler {
            let body = state.withLock { state in
                if state.body == nil { state.isWaiting = true }
                return state.body
            }
            body?()
        }
        source.resume()
    }

    /// - Parameter body: called on a queue of its own, one signal after the other.
    func perform(_ body: @escaping @Sendable () -> Void) {
        let isWaiting = state.withLock { state in
            state.body = body
            return state.isWaiting
        }
        if isWaiting { queue.async(execute: body) }
    }
}

/// Keeps signal handlers in place until they are cancelled.
struct SignalSources {
    private let sources: [any DispatchSourceSignal]

    fileprivate init(_ sources: [any DispatchSourceSignal]) {
        self.sources = sources
    }

    func cancel() {
        for source in sources { source.cancel() }
    }
}

/// Where packed weights are kept: the flag, the environment's folder, or the user's cache; nil for "none".
func weightCacheDirectory(_ flag: String?) -> String? {
    let environment = ProcessInfo.processInfo.environment
    if let named = flag ?? environment.variable("LETHE_WEIGHT_CACHE") { return named == "none" ? nil : named }
    if let cache = environment.variable("XDG_CACHE_HOME") { return "\(cache)/lethe/weights" }
    return environment.variable("HOME").map { "\($0)/.cache/lethe/weights" }
}
