import ArgumentParser
import Files
import Foundation
import Logging

/// How a long-running process logs.
struct LogOptions: ParsableArguments {
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case text
        /// One object a line: time, level, label, message, metadata.
        case json
    }

    @Option(
        help:
            "How lines of the log are written: text, or json, one object a line. [env: LETHE_LOG_FORMAT] [default: text]"
    )
    var logFormat: Format?

    @Option(
        help:
            "The lowest level that is logged: trace, debug, info, notice, warning (or warn), error or critical. [env: LETHE_LOG] [default: info]"
    )
    var logLevel: String?

    /// Logs to standard error: ids and numbers, never content of the data.
    ///
    /// - Throws: `CommandFailure` (64) for a level or a format that there is not.
    func logger(_ label: String) throws -> Logger {
        let environment = ProcessInfo.processInfo.environment
        let format = try logFormat ?? Self.format(environment.variable("LETHE_LOG_FORMAT"))
        var logger = Logger(label: label) { label in
            switch format {
            case .text: OneLineLogHandler(StreamLogHandler.standardError(label: label))
            case .json: JSONLogHandler(label: label) { FileHandle.standardError.write($0) }
            }
        }
        let level =
            (logLevel.map { ("--log-level", $0) }) ?? environment.variable("LETHE_LOG").map { ("LETHE_LOG", $0) }
        if let (place, name) = level { logger.logLevel = try Self.level(name, at: place) }
        return logger
    }

    private static func format(_ name: String?) throws -> Format {
        guard let name else { return .text }
        guard let format = Format(rawValue: name) else {
            throw CommandFailure(.usage, "LETHE_LOG_FORMAT: there is no format \(name): text or json")
        }
        return format
    }

    private static func level(_ name: String, at place: String) throws -> Logger.Level {
        if name == "warn" { return .warning }
        guard let level = Logger.Level(rawValue: name) else {
            let known = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw CommandFailure(.usage, "\(place): there is no level \(name): \(known), or warn")
        }
        return level
    }
}
