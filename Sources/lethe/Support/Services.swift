import Dispatch
import Foundation
import Logging

/// Logs of a long-running process: standard error, ids and numbers, never content of the data.
func serviceLogger(_ label: String) -> Logger {
    var logger = Logger(label: label) { OneLineLogHandler(StreamLogHandler.standardError(label: $0)) }
    if let level = ProcessInfo.processInfo.environment["LETHE_LOG"].flatMap(Logger.Level.init(rawValue:)) {
        logger.logLevel = level
    }
    return logger
}

/// Calls the body at SIGINT and SIGTERM instead of dying of them.
func stopOnSignals(_ body: @escaping @Sendable () -> Void) -> SignalSources {
    SignalSources(
        [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler(handler: body)
            source.resume()
            return source
        })
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
    if let named = flag ?? environment["LETHE_WEIGHT_CACHE"] { return named == "none" ? nil : named }
    if let cache = environment["XDG_CACHE_HOME"] { return "\(cache)/lethe/weights" }
    return environment["HOME"].map { "\($0)/.cache/lethe/weights" }
}
