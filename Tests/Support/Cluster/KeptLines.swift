import Foundation
import Logging

/// Keeps what is logged, of every level.
package final class KeptLines: LogHandler, @unchecked Sendable {
    private let lock = NSLock()
    private var lines: [String] = []
    package var metadata: Logger.Metadata = [:]
    package var logLevel = Logger.Level.trace

    package init() {}

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        lock.withLock { lines.append("\(event.message) \(event.metadata ?? [:])") }
    }

    package var text: String { lock.withLock { lines.joined(separator: "\n") } }

    package var logger: Logger { Logger(label: "test") { _ in self } }
}
