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
    /// Of ratings: a column that would be a title in a table of items, and may be a person's words here.
    var doubtfulTitle: Int?
    /// As in the header; empty without one.
    var names: [String] = []
    /// Numbers of fields that a row may have.
    var count: ClosedRange<Int>

    /// A row says who rated what.
    var hasRatings: Bool { user != nil && item != nil && rating != nil }
    /// A row says what an item is called.
    var hasTitles: Bool { item != nil && title != nil }

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

    /// From the names in a header. RecBole's types behind a colon, capitals and punctuation do not count.
    ///
    /// - Parameters:
    ///   - kind: nil: ratings if any column is a person's.
    ///   - titleColumn: the column that was declared to be the items' title.
    init(header: [String], in kind: Kind? = nil, titleColumn: String?) {
        let names = header.map(ColumnNames.normalised)
        func first(_ wanted: [String]) -> Int? {
            wanted.lazy.compactMap { names.firstIndex(of: $0) }.first
        }
        let kind = kind ?? (names.contains(where: ColumnNames.isPersonal) ? .ratings : .items)
        self.init(
            user: first(ColumnNames.user), item: first(ColumnNames.item), rating: first(ColumnNames.rating),
            timestamp: first(ColumnNames.timestamp), count: header.count...header.count)
        self.names = header
        let declared = titleColumn.flatMap { names.firstIndex(of: ColumnNames.normalised($0)) }
        switch kind {
        case .items:
            title = declared ?? first(ColumnNames.itemsOwnTitle + ColumnNames.title)
            year = first(ColumnNames.itemsOwnYear + ColumnNames.year)
            author = first(ColumnNames.itemsOwnAuthor + ColumnNames.author)
        case .ratings:
            title = declared ?? first(ColumnNames.itemsOwnTitle)
            year = first(ColumnNames.itemsOwnYear)
            author = first(ColumnNames.itemsOwnAuthor)
            if title == nil { doubtfulTitle = first(ColumnNames.title) }
        }
    }

    var isPersonal: Bool { names.contains { ColumnNames.isPersonal(ColumnNames.normalised($0)) } }

    /// Columns with a meaning, for the report.
    var used: [SourceReport.Column] {
        let all = [
            ("user", user), ("item", item), ("rating", rating), ("timestamp", timestamp), ("title", title),
            ("year", year), ("author", author),
        ]
        return all.compactMap { meaning, column in
            column.map { SourceReport.Column(meaning: meaning, name: name(of: $0)) }
        }
    }

    var unused: [String] {
        let used = [user, item, rating, timestamp, title, year, author]
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
            year: text(year), author: text(author), doubtfulTitle: doubtfulTitle.map(name))
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
    /// Name of a column that may or may not hold the item's title.
    var doubtfulTitle: String?
}
