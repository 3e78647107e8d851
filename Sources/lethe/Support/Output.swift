import Foundation
import Messages

/// What a command prints: with `--json` exactly one object on standard output, else text for people. Progress and logs
/// always go to standard error.
struct Output {
    /// Raised when a field of any object changes its meaning or disappears.
    static let schemaVersion = 1

    var json: Bool

    /// Prints the value as one JSON object with `schema_version`, or the text.
    ///
    /// - Parameter done: as in `write`.
    func emit(_ value: some Encodable, done: String? = nil, text: () -> String) throws {
        try emit(json: JSONEncoder.printed.encode(value), done: done, text: text)
    }

    /// The same for a reply's body, which is JSON already.
    func emit(json body: Data, done: String? = nil, text: () throws -> String) throws {
        guard json else {
            try Self.write(try text() + "\n", done: done)
            return
        }
        guard var object = try JSONSerialization.jsonObject(with: body) as? [String: Any] else {
            throw CommandFailure(.failed, "the reply is no JSON object")
        }
        object["schema_version"] = Output.schemaVersion
        let data = try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
        try Self.write(String(decoding: data, as: UTF8.self) + "\n", done: done)
    }

    /// Writes to standard output, at once: a report that reaches nobody is no success.
    ///
    /// - Parameter done: what an order has done all the same, so that nobody takes it for refused.
    /// - Throws: `CommandFailure`, status 1.
    static func write(_ text: String, done: String? = nil) throws {
        // A reader that is gone ends whoever only prints, as it ends others in a pipe; an order says first what it has done.
        let before = done.map { _ in signal(SIGPIPE, SIG_IGN) }
        defer { if let before { signal(SIGPIPE, before) } }
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Foundation.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count > 0 {
                bytes = bytes.dropFirst(count)
                continue
            }
            let code = count < 0 ? errno : EIO
            switch code {
            case EINTR: continue
            case EAGAIN:
                // Somebody who has the other end too made it non-blocking.
                var place = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
                _ = poll(&place, 1, -1)
            default:
                throw CommandFailure(
                    .failed,
                    "standard output cannot be written: \(String(cString: strerror(code)))"
                        + (done.map { "; only the report is lost: \($0)" } ?? ""))
            }
        }
    }

    /// Says it on standard error. What it repeats of somebody's file moves no cursor.
    static func note(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0).printable }
        FileHandle.standardError.write(Data((lines.joined(separator: "\n") + "\n").utf8))
    }
}

extension JSONEncoder {
    static var printed: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.dateEncodingStrategy = .shown
        return encoder
    }
}
