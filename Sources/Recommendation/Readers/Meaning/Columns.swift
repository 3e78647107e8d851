/// Which field of a row means what.
struct Columns {
    /// What the rows of a table are about.
    enum Kind {
        /// Somebody's: what else stands in the row belongs to that person, unless its name says that it is the item's.
        case ratings
        case items
    }

    var user: Int?
    var item: Int?
    var rating: Int?
    var timestamp: Int?
    var title: Int?
    var year: Int?
    var author: Int?
    var event: Int?
    /// Of ratings: a column that would be a title in a table of items, and may be a person's words here.
    var doubtfulTitle: Int?
    /// Of ratings: the title's column is none by its name, and was declared to be it.
    var isTitleOnlyDeclared = false
    /// What is shown with items, by name.
    var fields: [(name: String, column: Int)] = []
    /// Where a row's rating comes from.
    var ratings = RatingSource.column
    /// A column tells of a person, by its name.
    private(set) var isPersonal = false
    /// As in the header; empty without one.
    var names: [String] = []
    /// Numbers of fields that a row may have.
    var count: ClosedRange<Int>

    /// A row says who rated what.
    var hasRatings: Bool { missingOfRatings == nil }
    /// A row says what an item is called.
    var hasTitles: Bool { item != nil && title != nil }
    /// Whether it is a table of items: nothing in it is a person's.
    var isOfItems: Bool { hasTitles && user == nil && !isPersonal }

    /// A title and nobody, but nothing says whose title it is.
    var isOfUnnamedItems: Bool { item == nil && title != nil && user == nil && !isPersonal }

    /// What a row of ratings needs and this one does not have.
    var missingOfRatings: ColumnMeaning? {
        if user == nil { return .user }
        if item == nil { return .item }
        return switch ratings {
        case .column: rating == nil ? .rating : nil
        case .every: nil
        case .events: event == nil ? .event : nil
        }
    }

    init(
        user: Int? = nil, item: Int? = nil, rating: Int? = nil, timestamp: Int? = nil, title: Int? = nil,
        count: ClosedRange<Int>
    ) {
        self.user = user
        self.item = item
        self.rating = rating
        self.timestamp = timestamp
        self.title = title
        self.count = count
    }

    /// From the names in a header: what is declared, and else what the names say. RecBole's types behind a colon, capitals
    /// and punctuation do not count.
    ///
    /// - Parameter kind: nil: ratings if any column is a person's.
    init(header: [String], in kind: Kind? = nil, rules: ReadingRules = ReadingRules()) {
        let names = header.map(ColumnNames.normalised)
        let declared = ColumnMeaning.allCases.map {
            rules.columns.position(of: $0, in: header, normalised: names)
        }
        // The first of each name that is not declared otherwise. Only looked up.
        var positions: [String: Int] = [:]
        for (position, name) in names.enumerated() where positions[name] == nil && !declared.contains(position) {
            positions[name] = position
        }
        func find(_ meaning: ColumnMeaning, _ wanted: [String]) -> Int? {
            if let index = ColumnMeaning.allCases.firstIndex(of: meaning), let position = declared[index] {
                return position
            }
            // Who did what stands where it was declared to stand, or nowhere.
            guard rules.columns[meaning] == nil || ![.user, .rating, .event].contains(meaning) else { return nil }
            return wanted.lazy.compactMap { positions[$0] }.first
        }
        self.init(
            user: find(.user, ColumnNames.user), item: find(.item, ColumnNames.item),
            timestamp: find(.timestamp, ColumnNames.timestamp), count: header.count...header.count)
        self.names = header
        isPersonal = names.contains(where: ColumnNames.isPersonal)
        ratings = rules.ratings
        switch ratings {
        case .column: rating = find(.rating, ColumnNames.rating)
        case .every: break
        case .events: event = find(.event, ColumnNames.event)
        }
        switch kind ?? (user != nil || isPersonal ? .ratings : .items) {
        case .items:
            title = find(.title, ColumnNames.itemsOwnTitle + ColumnNames.title)
            year = find(.year, ColumnNames.itemsOwnYear + ColumnNames.year)
            author = find(.author, ColumnNames.itemsOwnAuthor + ColumnNames.author)
        case .ratings:
            title = find(.title, ColumnNames.itemsOwnTitle)
            isTitleOnlyDeclared = title.map { !ColumnNames.itemsOwnTitle.contains(names[$0]) } ?? false
            year = find(.year, ColumnNames.itemsOwnYear)
            author = find(.author, ColumnNames.itemsOwnAuthor)
            if title == nil { doubtfulTitle = find(.title, ColumnNames.title) }
        }
        takeFields(rules, isOfItems: title != nil && user == nil && !isPersonal, normalised: names)
    }

    /// Undeclared columns are fields in tables of items only: beside a person they may be that person's. A field's column does
    /// not go into the title as well.
    private mutating func takeFields(_ rules: ReadingRules, isOfItems: Bool, normalised: [String]) {
        for field in rules.columns.fields {
            let column = DeclaredColumns.position(of: field.column, in: names, normalised: normalised)
            if let column { fields.append((field.name, column)) }
        }
        let declared = Set(rules.columns.fields.map(\.name))
        for name in rules.itemFields where isOfItems && !declared.contains(name) {
            let column = DeclaredColumns.position(of: name, in: names, normalised: normalised)
            if let column { fields.append((name, column)) }
        }
        if fields.contains(where: { $0.column == year }) { year = nil }
        if fields.contains(where: { $0.column == author }) { author = nil }
    }

    /// Of a table without a header: positions from 1.
    init(positions: DeclaredColumns, ratings: RatingSource, count: Int) {
        func position(_ meaning: ColumnMeaning) -> Int? {
            positions[meaning].flatMap { Int($0) }.flatMap { (1...count).contains($0) ? $0 - 1 : nil }
        }
        self.init(
            user: position(.user), item: position(.item), timestamp: position(.timestamp), title: position(.title),
            count: count...count)
        (year, author) = (position(.year), position(.author))
        fields = positions.fields.compactMap { field in
            Int(field.column).flatMap { (1...count).contains($0) ? (field.name, $0 - 1) : nil }
        }
        self.ratings = ratings
        switch ratings {
        case .column: rating = position(.rating)
        case .every: break
        case .events: event = position(.event)
        }
    }

    private var meanings: [(ColumnMeaning, Int?)] {
        [
            (.user, user), (.item, item), (.rating, rating), (.event, event), (.timestamp, timestamp), (.title, title),
            (.year, year), (.author, author),
        ]
    }

    /// Columns with a meaning, for the report.
    var used: [SourceReport.Column] {
        meanings.compactMap { meaning, column in
            column.map { SourceReport.Column(meaning: meaning.rawValue, name: name(of: $0)) }
        }
            + fields.map {
                SourceReport.Column(meaning: DeclaredColumns.fieldPrefix + $0.name, name: name(of: $0.column))
            }
    }

    var unused: [String] {
        let used = meanings.map(\.1) + fields.map(\.column)
        return names.indices.filter { !used.contains($0) }.map { names[$0] }
    }

    func name(of column: Int) -> String {
        names.indices.contains(column) ? String(names[column].prefix(80)) : "field \(column + 1)"
    }

    func row(_ fields: [ArraySlice<UInt8>]) -> Row {
        func text(_ column: Int?) -> String? {
            guard let column, column < fields.count else { return nil }
            return DelimitedText.text(fields[column])
        }
        return Row(
            user: text(user), item: text(item), rating: text(rating), timestamp: text(timestamp), title: text(title),
            year: text(year), author: text(author), event: text(event), doubtfulTitle: doubtfulTitle.map(name),
            isTitleOnlyDeclared: isTitleOnlyDeclared, fields: texts(of: self.fields, text))
    }

    func texts(of fields: [(name: String, column: Int)], _ text: (Int?) -> String?) -> [String: String] {
        var texts: [String: String] = [:]
        for (name, column) in fields { texts[name] = text(column) }
        return texts
    }
}

/// The texts of one row that mean something; nil where there is no such column.
struct Row {
    var user: String?
    var item: String?
    var rating: String?
    var timestamp: String?
    var title: String?
    var year: String?
    var author: String?
    var event: String?
    /// Name of a column that may or may not hold the item's title.
    var doubtfulTitle: String?
    var isTitleOnlyDeclared = false
    /// What is shown with the item, by name.
    var fields: [String: String] = [:]

    var hasTitle: Bool { title?.contains { !$0.isWhitespace } ?? false }
}
