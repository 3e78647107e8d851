import Recommendation

/// The members of a request's object, taken one by one. What is there and is not what it should be is refused.
struct JSONFields {
    private let values: [String: JSONValue]
    /// Where it stands in the body, for messages.
    private let place: String

    /// - Parameters:
    ///   - known: the keys that mean something; nil: others are left, as their clients send more than is looked at.
    ///   - open: keys that are not there where their value is null: so some clients write what they leave open.
    init(
        _ value: JSONValue, at place: String = "", known: Set<String>?, open: Set<String> = []
    ) throws(Problem) {
        guard case .object(let all) = value else {
            throw .invalid("\(place.isEmpty ? "the body" : place) must be an object")
        }
        let values = open.isEmpty ? all : all.filter { $0.value != .null || !open.contains($0.key) }
        let inside = place.isEmpty ? "" : place + "."
        if let known, let other = values.keys.filter({ !known.contains($0) }).min() {
            throw .invalid("nobody knows what \(inside)\(other.prefix(40)) means")
        }
        self.values = values
        self.place = inside
    }

    func has(_ key: String) -> Bool { values[key] != nil }

    subscript(key: String) -> JSONValue? { values[key] }

    /// Sorted.
    var keys: [String] { values.keys.sorted() }

    func text(_ key: String) throws(Problem) -> String? {
        guard let value = values[key] else { return nil }
        guard case .text(let text) = value else { throw .invalid("\(place)\(key) must be text") }
        return text
    }

    func flag(_ key: String) throws(Problem) -> Bool? {
        guard let value = values[key] else { return nil }
        guard case .bool(let flag) = value else { throw .invalid("\(place)\(key) must be true or false") }
        return flag
    }

    func integer(_ key: String, _ bounds: ClosedRange<Int>) throws(Problem) -> Int? {
        guard let value = values[key] else { return nil }
        guard case .integer(let number) = value, let number = Int(exactly: number), bounds.contains(number) else {
            throw .invalid("\(place)\(key) must be a whole number from \(bounds.lowerBound) to \(bounds.upperBound)")
        }
        return number
    }

    func number(_ key: String) throws(Problem) -> Double? {
        switch values[key] {
        case nil: return nil
        case .integer(let number)?: return Double(number)
        case .number(let number)? where number.isFinite: return number
        default: throw .invalid("\(place)\(key) must be a number")
        }
    }

    /// Seconds since 1970; numbers are read by their magnitude, as an import and `lethe forget` read them.
    func timestamp(_ key: String) throws(Problem) -> Int64? {
        let text: String? =
            switch values[key] {
            case .integer(let number)?: String(number)
            case .text(let text)?: text
            default: nil
            }
        let seconds = text.flatMap { Timestamps.read($0)?.seconds }
        guard seconds != nil || values[key] == nil else {
            throw .invalid("\(place)\(key) must be a number or an ISO 8601 date")
        }
        return seconds
    }

    func choice(_ key: String, of choices: [String]) throws(Problem) -> String? {
        guard let text = try text(key) else { return nil }
        guard choices.contains(text) else {
            throw .invalid("\(place)\(key) must be one of \(choices.joined(separator: ", "))")
        }
        return text
    }

    func array(_ key: String, _ counts: ClosedRange<Int>) throws(Problem) -> [JSONValue]? {
        guard let value = values[key] else { return nil }
        guard case .array(let array) = value, counts.contains(array.count) else {
            throw .invalid("\(place)\(key) must be a list of \(counts.lowerBound) to \(counts.upperBound) elements")
        }
        return array
    }

    /// - Throws: 404 for text that can name nobody.
    func identifier(_ key: String, of kind: NamedKind) throws(Problem) -> String? {
        try text(key).map { text throws(Problem) in try kind.identifier(text) }
    }

    func identifiers(_ key: String, of kind: NamedKind, _ counts: ClosedRange<Int>) throws(Problem) -> [String]? {
        guard let array = try array(key, counts) else { return nil }
        var names: [String] = []
        names.reserveCapacity(array.count)
        for value in array {
            guard case .text(let text) = value else { throw .invalid("\(place)\(key) must be a list of texts") }
            names.append(try kind.identifier(text))
        }
        return names
    }
}

/// Whom an identifier names.
enum NamedKind: String {
    case user, item

    /// As it is stored and compared; whatever cannot be stored is nobody's.
    func identifier(_ text: String) throws(Problem) -> String {
        do {
            return try Identifier.canonical(text)
        } catch {
            throw .notFound("there can be no \(rawValue) of this name: \(error)", name: "unknown-\(rawValue)")
        }
    }
}
