import Messages

extension JSONFields {
    /// Ratings of somebody who need not be in the ledger; nil: the key is not there.
    ///
    /// - Throws: `Problem` 422, or 404 for an item that there can be none of.
    func history() throws(Problem) -> [GivenRating]? {
        guard let array = try array("history", GatewayLimits.history) else { return nil }
        var history: [GivenRating] = []
        history.reserveCapacity(array.count)
        for value in array {
            let fields = try JSONFields(value, at: "history", known: ["item", "rating", "timestamp"])
            guard let item = try fields.identifier("item", of: .item), let rating = try fields.number("rating") else {
                throw .invalid("a rating of a history has an item and a rating")
            }
            history.append(
                GivenRating(item: item, rating: rating, timestamp: try fields.timestamp("timestamp")))
        }
        return history
    }

    /// What an answer may name: `exclude` lists items that it does not, `where` says what fields of items have to be: a text, a
    /// number, or an object with `min`, `max` or both; nil: neither key is there.
    ///
    /// - Throws: `Problem` 422, or 404 for an item that there can be none of.
    func filter() throws(Problem) -> ItemFilter? {
        guard has("exclude") || has("where") else { return nil }
        let exclude = try identifiers("exclude", of: .item, GatewayLimits.candidates) ?? []
        var conditions: [ItemFilter.Condition] = []
        if let value = self["where"] {
            let fields = try JSONFields(value, at: "where", known: nil)
            guard GatewayLimits.conditions.contains(fields.keys.count) else {
                throw .invalid("where must name 1 to \(GatewayLimits.conditions.upperBound) fields")
            }
            for field in fields.keys { conditions.append(try fields.condition(on: field)) }
        }
        return ItemFilter(exclude: exclude, conditions: conditions)
    }

    private func condition(on field: String) throws(Problem) -> ItemFilter.Condition {
        switch self[field] {
        case .text(let text)?: return .init(field: field, text: text)
        case .object?:
            let bounds = try JSONFields(self[field] ?? .null, at: "where.\(field.clipped)", known: ["min", "max"])
            return .init(field: field, minimum: try bounds.number("min"), maximum: try bounds.number("max"))
        case .integer?, .number?:
            let number = try number(field)
            return .init(field: field, minimum: number, maximum: number)
        default: throw .invalid("where.\(field.clipped) must be text, a number, or an object with min, max or both")
        }
    }
}

extension ClientRequest.QueryRequest {
    /// - Throws: `Problem` 422 for what nobody could answer.
    func checked() throws(Problem) -> ClientRequest {
        if let objection { throw .invalid(objection) }
        return .query(self)
    }
}
