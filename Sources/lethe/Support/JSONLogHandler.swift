import Foundation
import Logging
import Messages

/// Writes every line of the log as a JSON object: `time` (ISO 8601, UTC), `level`, `label`, `message` and, where there is any,
/// `metadata`. A text from outside cannot make lines of its own: JSON escapes line breaks.
package struct JSONLogHandler: LogHandler {
    package var logLevel = Logger.Level.info
    package var metadata: Logger.Metadata = [:]
    private let label: String
    private let now: @Sendable () -> Date
    private let write: @Sendable (Data) -> Void

    /// - `write`: is handed a line with its end.
    package init(
        label: String, now: @escaping @Sendable () -> Date = { Date() }, write: @escaping @Sendable (Data) -> Void
    ) {
        (self.label, self.now, self.write) = (label, now, write)
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
        let line = Line(
            time: now().iso8601, level: event.level.rawValue, label: label, message: event.message.description,
            metadata: all.isEmpty ? nil : all.mapValues(JSONMetadata.init))
        guard var data = try? JSONEncoder.stable.encode(line) else { return }
        data.append(UInt8(ascii: "\n"))
        write(data)
    }

    private struct Line: Encodable {
        var time: String
        var level: String
        var label: String
        var message: String
        var metadata: [String: JSONMetadata]?
    }
}

private struct JSONMetadata: Encodable {
    let value: Logger.MetadataValue

    init(_ value: Logger.MetadataValue) {
        self.value = value
    }

    func encode(to encoder: any Encoder) throws {
        switch value {
        case .string(let text): try text.encode(to: encoder)
        case .stringConvertible(let value): try value.description.encode(to: encoder)
        case .array(let values): try values.map(JSONMetadata.init).encode(to: encoder)
        case .dictionary(let values): try values.mapValues(JSONMetadata.init).encode(to: encoder)
        }
    }
}
