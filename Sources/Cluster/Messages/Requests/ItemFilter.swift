/// Which items an answer may name, of those that are asked about or of the catalogue.
public struct ItemFilter: Codable, Hashable, Sendable {
    /// What an item's field has to be. An item that has no such field does not pass.
    public struct Condition: Codable, Hashable, Sendable {
        /// As the recorded template names it.
        public var field: String
        /// Exactly this text; nil: any.
        public var text: String?
        /// The field is a number, and not smaller, or not larger; nil: unbounded. With neither it may be any text.
        public var minimum: Double?
        public var maximum: Double?

        public init(field: String, text: String? = nil, minimum: Double? = nil, maximum: Double? = nil) {
            self.field = field
            self.text = text
            self.minimum = minimum
            self.maximum = maximum
        }

        public func holds(of fields: [String: String]?) -> Bool {
            guard let value = fields?[field], text == nil || value == text else { return false }
            guard minimum != nil || maximum != nil else { return true }
            guard let number = Double(value), number.isFinite else { return false }
            return number >= minimum ?? -.infinity && number <= maximum ?? .infinity
        }

        /// nil: something can pass.
        public var objection: String? {
            guard text != nil || minimum != nil || maximum != nil else {
                return "the condition on \(field.clipped) names neither a text nor a bound"
            }
            guard let minimum, let maximum, minimum > maximum else { return nil }
            return "no \(field.clipped) is at least \(minimum) and at most \(maximum)"
        }
    }

    /// Ids that no answer names; one that the catalogue does not have excludes nothing.
    public var exclude: [String]
    /// All of them hold.
    public var conditions: [Condition]

    public init(exclude: [String] = [], conditions: [Condition] = []) {
        self.exclude = exclude
        self.conditions = conditions
    }
}
