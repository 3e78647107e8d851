/// Which field of a row means what.
struct Columns {
    var user: Int?
    var item: Int?
    var rating: Int?
    var timestamp: Int?
    var title: Int?
    var year: Int?
    var author: Int?
    /// Numbers of fields that a row may have.
    var count: ClosedRange<Int>

    /// A row says who rated what.
    var hasRatings: Bool { user != nil && item != nil && rating != nil }
    /// A row says what an item is called.
    var hasTitles: Bool { item != nil && title != nil }

    init(
        user: Int? = nil, item: Int? = nil, rating: Int? = nil, timestamp: Int? = nil, title: Int? = nil,
        year: Int? = nil, author: Int? = nil, count: ClosedRange<Int>
    ) {
        self.user = user
        self.item = item
        self.rating = rating
        self.timestamp = timestamp
        self.title = title
        self.year = year
        self.author = author
        self.count = count
    }

    /// From the names in a header. RecBole's types behind a colon, capitals and punctuation do not count.
    init(header: [String]) {
        let names = header.map(Self.normalised)
        func first(_ wanted: [String]) -> Int? {
            wanted.lazy.compactMap { names.firstIndex(of: $0) }.first
        }
        self.init(
            user: first(Self.userNames), item: first(Self.itemNames), rating: first(Self.ratingNames),
            timestamp: first(Self.timestampNames),
            title: first(Self.titleNames) ?? names.firstIndex { $0.hasSuffix("title") },
            year: first(Self.yearNames), author: first(Self.authorNames), count: header.count...header.count)
    }

    static let userNames = ["userid", "user", "uid", "reviewerid"]
    static let itemNames = [
        "itemid", "item", "iid", "movieid", "isbn", "bookid", "asin", "parentasin", "productid",
    ]
    static let ratingNames = ["rating", "bookrating", "score", "stars", "overall"]
    static let timestampNames = ["timestamp", "time", "unixreviewtime", "unixtime"]
    static let titleNames = ["title", "movietitle", "booktitle", "itemtitle", "name", "itemname"]
    static let yearNames = ["releaseyear", "year"]
    static let authorNames = ["author", "bookauthor"]

    static func normalised(_ name: String) -> String {
        let bare = name.prefix { $0 != ":" }
        return String(bare.lowercased().filter { $0.isLetter || $0.isNumber })
    }

    func row(_ fields: [ArraySlice<UInt8>]) -> Row {
        func text(_ column: Int?) -> String? {
            guard let column, column < fields.count else { return nil }
            return DelimitedText.text(fields[column])
        }
        return Row(
            user: text(user), item: text(item), rating: text(rating), timestamp: text(timestamp), title: text(title),
            year: text(year), author: text(author))
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
}
