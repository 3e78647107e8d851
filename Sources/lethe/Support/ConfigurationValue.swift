import Foundation

/// Any JSON of the configuration file that is laid over a library's own configuration.
enum ConfigurationValue: Codable {
    case flag(Bool)
    case number(Double)
    case text(String)
    case list([ConfigurationValue])
    case object([String: ConfigurationValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let flag = try? container.decode(Bool.self) {
            self = .flag(flag)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if let list = try? container.decode([ConfigurationValue].self) {
            self = .list(list)
        } else {
            self = .object(try container.decode([String: ConfigurationValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .flag(let flag): try container.encode(flag)
        case .number(let number):
            // Whole numbers as such: also where the library wants an integer.
            if let whole = Int(exactly: number) { try container.encode(whole) } else { try container.encode(number) }
        case .text(let text): try container.encode(text)
        case .list(let list): try container.encode(list)
        case .object(let object): try container.encode(object)
        }
    }

    /// The value with the file's keys (with underscores) in place of its own; absent keys keep their defaults.
    ///
    /// - Throws: `CommandFailure` for unknown keys and for values of the wrong type.
    static func overriding<Value: Codable>(
        _ value: Value, _ keys: [String: ConfigurationValue], of name: String
    ) throws -> Value {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        var object = try JSONDecoder().decode([String: ConfigurationValue].self, from: encoder.encode(value))
        let unknown = keys.keys.filter { object[$0] == nil }.sorted()
        guard unknown.isEmpty else {
            throw CommandFailure(
                .badInput, "the configuration file: \(name) has no \(unknown.joined(separator: ", "))")
        }
        for (key, new) in keys { object[key] = new }
        do {
            return try decoder.decode(Value.self, from: JSONEncoder().encode(object))
        } catch {
            throw CommandFailure(.badInput, "the configuration file: \(name) has a value of the wrong type")
        }
    }
}
