import Logging

/// Writes everything that is not printable as an escape, so that a text from outside cannot make lines of its own.
package struct OneLineLogHandler: LogHandler {
    private var handler: any LogHandler

    package init(_ handler: any LogHandler) {
        self.handler = handler
    }

    package var logLevel: Logger.Level {
        get { handler.logLevel }
        set { handler.logLevel = newValue }
    }

    package var metadata: Logger.Metadata {
        get { handler.metadata }
        set { handler.metadata = newValue.mapValues(\.onOneLine) }
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { handler[metadataKey: key] }
        set { handler[metadataKey: key] = newValue?.onOneLine }
    }

    package func log(event: LogEvent) {
        var event = event
        event.message = "\(event.message.description.onOneLine)"
        event.metadata = event.metadata?.mapValues(\.onOneLine)
        handler.log(event: event)
    }
}

extension String {
    /// A line break becomes `\n`, any other unprintable character `\u{…}`.
    fileprivate var onOneLine: String {
        guard !unicodeScalars.allSatisfy(\.isPrintable) else { return self }
        var text = ""
        for scalar in unicodeScalars {
            if scalar.isPrintable { text.unicodeScalars.append(scalar) } else { text += scalar.escaped(asASCII: true) }
        }
        return text
    }
}

extension Logger.MetadataValue {
    fileprivate var onOneLine: Logger.MetadataValue {
        switch self {
        case .string(let text): .string(text.onOneLine)
        case .stringConvertible(let value): .string(value.description.onOneLine)
        case .array(let values): .array(values.map(\.onOneLine))
        case .dictionary(let values): .dictionary(values.mapValues(\.onOneLine))
        }
    }
}
