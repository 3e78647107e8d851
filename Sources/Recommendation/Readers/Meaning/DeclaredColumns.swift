/// Which columns or keys were declared to mean what.
public struct DeclaredColumns: Hashable, Sendable {
    public struct Declaration: Hashable, Sendable {
        public var meaning: ColumnMeaning
        /// As in the file's first line, a path into a JSON object (`product.id`), or a position from 1.
        public var column: String
    }

    /// Each meaning once.
    public private(set) var all: [Declaration] = []

    /// A column that is shown with an item (`ItemFields`).
    public struct Field: Hashable, Sendable {
        public var name: String
        /// As in `Declaration`.
        public var column: String
    }

    /// Each name once.
    public private(set) var fields: [Field] = []

    public init() {}

    /// From `user=customer_id,item=product_id,time=created_at,field:year=release_year`.
    ///
    /// - Throws: `RecommendationError.invalidColumns`.
    public init(parsing text: String) throws(RecommendationError) {
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.split(separator: "=", maxSplits: 1).map { $0.trimmingBlanks }
            guard sides.count == 2, !sides[1].isEmpty else {
                throw .invalidColumns(reason: "\"\(part)\" is not MEANING=COLUMN")
            }
            if sides[0].hasPrefix(Self.fieldPrefix) {
                try declare(field: String(sides[0].dropFirst(Self.fieldPrefix.count)), sides[1])
                continue
            }
            guard let meaning = ColumnMeaning(name: sides[0]) else {
                let known = ColumnMeaning.allCases.map(\.name).joined(separator: ", ")
                throw .invalidColumns(
                    reason:
                        "\"\(sides[0])\" is no meaning; there are \(known) and, for what the template shows of items, "
                        + "field:NAME")
            }
            try declare(meaning, sides[1])
        }
    }

    /// - Throws: `RecommendationError.invalidColumns` when the meaning has another column already.
    public mutating func declare(_ meaning: ColumnMeaning, _ column: String) throws(RecommendationError) {
        if let known = self[meaning], known != column {
            throw .invalidColumns(reason: "\(meaning.name) is declared twice: \(known) and \(column)")
        }
        if self[meaning] == nil { all.append(Declaration(meaning: meaning, column: column)) }
    }

    static let fieldPrefix = "field:"

    /// - Throws: `RecommendationError.invalidColumns` for what is no name of a field, or has another column already.
    public mutating func declare(field name: String, _ column: String) throws(RecommendationError) {
        guard ItemFields.isName(name), name != "title" else {
            throw .invalidColumns(
                reason: "\"\(name.prefix(40))\" cannot name a field: letters, digits, _ and -, and not title")
        }
        if let known = fields.first(where: { $0.name == name }), known.column != column {
            throw .invalidColumns(reason: "field:\(name) is declared twice: \(known.column) and \(column)")
        }
        guard !fields.contains(where: { $0.name == name }) else { return }
        guard fields.count < ItemFields.most else {
            throw .invalidColumns(reason: "more than \(ItemFields.most) fields are declared")
        }
        fields.append(Field(name: name, column: column))
    }

    public subscript(meaning: ColumnMeaning) -> String? { all.first { $0.meaning == meaning }?.column }

    /// All are positions: the files have no first line of names.
    var arePositions: Bool {
        !all.isEmpty && all.allSatisfy { Int($0.column).map { (1...1000).contains($0) } ?? false }
    }

    /// Where the declared column stands: by the very name, or by it without capitals and punctuation.
    func position(of meaning: ColumnMeaning, in header: [String], normalised: [String]) -> Int? {
        self[meaning].flatMap { Self.position(of: $0, in: header, normalised: normalised) }
    }

    static func position(of column: String, in header: [String], normalised: [String]) -> Int? {
        let wanted = ColumnNames.normalised(column)
        return header.firstIndex(of: column) ?? (wanted.isEmpty ? nil : normalised.firstIndex(of: wanted))
    }
}

extension StringProtocol {
    /// Without blanks around it.
    var trimmingBlanks: String {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(self[first...last])
    }
}
