import Foundation
import Messages

/// What a command prints: with `--json` exactly one object on standard output, else text for people. Progress and logs
/// always go to standard error.
struct Output {
    /// Raised when a field of any object changes its meaning or disappears.
    static let schemaVersion = 1

    var json: Bool

    /// Prints the value as one JSON object with `schema_version`, or the text.
    func emit(_ value: some Encodable, text: () -> String) throws {
        try emit(json: JSONEncoder.printed.encode(value), text: text)
    }

    /// The same for a reply's body, which is JSON already.
    func emit(json body: Data, text: () throws -> String) throws {
        guard json else {
            print(try text())
            return
        }
        guard var object = try JSONSerialization.jsonObject(with: body) as? [String: Any] else {
            throw CommandFailure(.failed, "the reply is no JSON object")
        }
        object["schema_version"] = Output.schemaVersion
        let data = try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
        print(String(decoding: data, as: UTF8.self))
    }

    static func note(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
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
