import Foundation
import Messages

/// A coordinator's options as a JSON file. Unknown keys are refused, so that a slip of the pen does not start a cluster with other
/// settings than meant.
struct ConfigurationFile {
    /// As it stands in the file, read value by value: a seed has more digits than a number of JSON is exact to elsewhere.
    private let content: KeyedDecodingContainer<Name>
    private let path: String
    /// Of the approximate methods.
    private let e2urec: [String: ConfigurationValue]?
    private let ifru: [String: ConfigurationValue]?

    /// - Parameter options: the keys of the options; `e2urec` and `ifru` are known beside them, and what
    ///   `lethe config --json` says beside the options.
    /// - Throws: `CommandFailure` for what is no such file, or has other keys.
    init(path: String, options: [String]) throws {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw CommandFailure(.badInput, "cannot read \(path)")
        }
        guard let object = try? JSONSerialization.jsonObject(with: bytes) as? [String: Any] else {
            throw CommandFailure(.badInput, "\(path) is no JSON object")
        }
        let known = Set(options + ["e2urec", "ifru", "schema_version", "cluster", "recorded", "prompts"])
        let unknown = object.keys.filter { !known.contains($0) }.sorted()
        guard unknown.isEmpty else {
            throw CommandFailure(.badInput, "\(path): unknown keys \(unknown.joined(separator: ", "))")
        }
        guard object["schema_version"].map({ $0 as? Int == Output.schemaVersion }) ?? true else {
            throw CommandFailure(.badInput, "\(path): schema_version must be \(Output.schemaVersion)")
        }
        self.path = path
        do {
            content = try JSONDecoder().decode(Content.self, from: bytes).values
        } catch {
            throw CommandFailure(.badInput, "\(path) is no JSON object")
        }
        e2urec = try Self.value("e2urec", in: content, path)
        ifru = try Self.value("ifru", in: content, path)
    }

    /// nil: the key is not there.
    ///
    /// - Throws: `CommandFailure` for a value of another type.
    func value<Value: Decodable>(_ key: String) throws -> Value? { try Self.value(key, in: content, path) }

    /// A named choice.
    func choice<Choice: RawRepresentable<String>>(_ text: String) throws -> Choice {
        guard let choice = Choice(rawValue: text) else {
            throw CommandFailure(.badInput, "the configuration file: \(text) is not one of the possible values")
        }
        return choice
    }

    /// Puts what the file says of the approximate methods over the defaults.
    func configure(_ corrections: inout CorrectionConfiguration) throws {
        corrections.e2urec = try ConfigurationValue.overriding(corrections.e2urec, e2urec ?? [:], of: "e2urec")
        corrections.ifru = try ConfigurationValue.overriding(corrections.ifru, ifru ?? [:], of: "ifru")
        do {
            try corrections.e2urec.check()
            try corrections.ifru.check()
        } catch {
            throw CommandFailure(.badInput, "the configuration file: \(error)")
        }
    }

    private static func value<Value: Decodable>(
        _ key: String, in content: KeyedDecodingContainer<Name>, _ path: String
    ) throws -> Value? {
        do {
            return try content.decodeIfPresent(Value.self, forKey: Name(key))
        } catch DecodingError.typeMismatch(_, let context), DecodingError.dataCorrupted(let context) {
            let place = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw CommandFailure(.badInput, "\(path): \(place.isEmpty ? key : place) has the wrong type")
        } catch {
            // A number that the type does not hold.
            throw CommandFailure(.badInput, "\(path): \(key) has the wrong type")
        }
    }

    private struct Name: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(_ name: String) { stringValue = name }
        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    private struct Content: Decodable {
        var values: KeyedDecodingContainer<Name>
        init(from decoder: any Swift.Decoder) throws { values = try decoder.container(keyedBy: Name.self) }
    }
}
