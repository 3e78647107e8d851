import Foundation

/// As much of JSON Schema as the description uses for replies.
struct Schema {
    let document: [String: Any]

    init(_ document: [String: Any]) { self.document = document }

    /// Follows `#/a/b` references.
    func resolve(_ value: Any) -> [String: Any] {
        guard let object = value as? [String: Any] else { return [:] }
        guard let reference = object["$ref"] as? String else { return object }
        let path = reference.split(separator: "/").dropFirst().map(String.init)
        return resolve(path.reduce(document as Any) { ($0 as? [String: Any])?[$1] ?? [:] })
    }

    /// What in the value is not as the schema has it; nil: all is.
    func objection(to value: Any, _ schema: Any, at place: String = "$") -> String? {
        let schema = resolve(schema)
        if let choices = schema["oneOf"] as? [Any] {
            let objections = choices.map { objection(to: value, $0, at: place) }
            return objections.contains { $0 == nil } ? nil : "\(place): none of \(objections.compactMap(\.self))"
        }
        if let choices = schema["enum"] as? [String] {
            return (value as? String).map(choices.contains) == true ? nil : "\(place): not one of \(choices)"
        }
        switch schema["type"] as? String {
        case "object":
            guard let object = value as? [String: Any] else { return "\(place): no object" }
            for key in schema["required"] as? [String] ?? [] where object[key] == nil { return "\(place): no \(key)" }
            let properties = schema["properties"] as? [String: Any] ?? [:]
            for key in object.keys.sorted() {
                guard let known = properties[key], let value = object[key] else { continue }
                if let found = objection(to: value, known, at: "\(place).\(key)") { return found }
            }
            return nil
        case "array":
            guard let array = value as? [Any] else { return "\(place): no array" }
            guard let items = schema["items"] else { return nil }
            return array.lazy.compactMap { objection(to: $0, items, at: place + "[]") }.first
        case "string":
            guard let text = value as? String else { return "\(place): no string" }
            let isTime = (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))) != nil
            return schema["format"] as? String != "date-time" || isTime ? nil : "\(place): \(text) is no time"
        case "integer", "number": return value is NSNumber ? nil : "\(place): no number"
        case "boolean": return value is Bool ? nil : "\(place): neither true nor false"
        case nil: return nil
        case let other?: return "\(place): nobody knows the type \(other)"
        }
    }
}
