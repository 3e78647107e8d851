/// Turns rows into items and interactions, refuses what is broken, and hands out batches.
struct RowCollector {
    private(set) var report = ImportReport()
    private let size: Int
    private let body: (ReaderBatch) throws -> Void
    private var batch = ReaderBatch()
    /// By id, the items handed out: the title that rows of ratings gave, "" for those of a table of items. Only looked up,
    /// so its order does not matter.
    private var catalogue: [String: String] = [:]
    /// A table or a line of items was there.
    private var hasItemRows = false
    private var ordinal: Int64 = 0

    /// Longest accepted title, in bytes.
    static let longestTitle = 4096

    init(size: Int, body: @escaping (ReaderBatch) throws -> Void) {
        self.size = max(1, size)
        self.body = body
    }

    mutating func note(_ file: SourceReport) {
        report.files.append(file)
    }

    mutating func refuse(_ reason: String, file: String, line: Int, isRating: Bool) {
        report.read += 1
        if isRating { ordinal += 1 }
        report.refuse(file: file, line: line, reason: reason)
    }

    /// A row of a file that holds items only.
    mutating func takeItem(_ row: Row, file: String, line: Int) throws {
        do {
            let item = try Self.item(of: row)
            guard catalogue.updateValue("", forKey: item.id) == nil else {
                throw Refusal("item \(item.id) was named before")
            }
            hasItemRows = true
            report.read += 1
            try hand(out: item)
        } catch let refusal as Refusal {
            refuse(refusal.reason, file: file, line: line, isRating: false)
        }
    }

    /// A row of a file of ratings; it may name its item too.
    ///
    /// - Throws: `RecommendationError.doubtfulTitle`, `.conflictingTitles`; whatever the receiver throws.
    mutating func takeRating(_ row: Row, titleColumn: String? = nil, file: String, line: Int) throws {
        do {
            let interaction = try Self.interaction(of: row, ordinal: ordinal)
            if let known = catalogue[interaction.item] {
                // What a table of items says counts; among rows of ratings all must say the same.
                if !known.isEmpty, row.hasTitle, try Self.item(of: row).title != known {
                    throw RecommendationError.conflictingTitles(
                        file: file, line: line, item: interaction.item, column: titleColumn ?? "title")
                }
            } else {
                if row.title == nil, let column = row.doubtfulTitle, !hasItemRows {
                    throw RecommendationError.doubtfulTitle(file: file, column: column)
                }
                guard row.title != nil else { throw Refusal("item \(interaction.item) has no title") }
                let item = try Self.item(of: row)
                catalogue[item.id] = item.title
                try hand(out: item)
            }
            report.read += 1
            report.kept += 1
            ordinal += 1
            batch.interactions.append(interaction)
            try flushIfFull()
        } catch let refusal as Refusal {
            refuse(refusal.reason, file: file, line: line, isRating: true)
        }
    }

    mutating func flush() throws {
        guard !batch.items.isEmpty || !batch.interactions.isEmpty else { return }
        let full = batch
        batch = ReaderBatch()
        try body(full)
    }

    private mutating func hand(out item: Item) throws {
        report.items += 1
        batch.items.append(item)
        try flushIfFull()
    }

    private mutating func flushIfFull() throws {
        if batch.items.count + batch.interactions.count >= size { try flush() }
    }

    private struct Refusal: Error {
        var reason: String

        init(_ reason: String) { self.reason = reason }
    }

    private static func interaction(of row: Row, ordinal: Int64) throws -> Interaction {
        let user = try id(row.user, of: "user")
        let item = try id(row.item, of: "item")
        guard let text = row.rating?.trimmed, !text.isEmpty else { throw Refusal("no rating") }
        guard let rating = Double(text), rating.isFinite else { throw Refusal("rating \(shown(text)) is not a number") }
        return Interaction(
            user: user, item: item, timestamp: try timestamp(row.timestamp), rating: rating, ordinal: ordinal)
    }

    /// 0 without such a column.
    private static func timestamp(_ text: String?) throws -> Int64 {
        guard let text = text?.trimmed else { return 0 }
        guard let seconds = Timestamps.seconds(text) else {
            throw Refusal(
                text.isEmpty ? "no timestamp" : "timestamp \(shown(text)) is neither seconds nor an ISO 8601 date")
        }
        return seconds
    }

    private static func id(_ text: String?, of what: String) throws -> String {
        do {
            return try Identifier.canonical(text ?? "")
        } catch .empty {
            throw Refusal("no \(what)")
        } catch .tooLong(let bytes) {
            throw Refusal("\(what) id of \(bytes) bytes")
        } catch .controlCharacter {
            throw Refusal("\(what) id with a control character")
        }
    }

    /// `Toy Story (1995)` where the year stands in a column of its own; `Emma written by Jane Austen` where there is an
    /// author (arXiv 2305.00447); else the title as it is, with control characters made spaces.
    private static func item(of row: Row) throws -> Item {
        let id = try id(row.item, of: "item")
        guard var title = row.title, row.hasTitle else {
            throw Refusal("item \(id) has no title")
        }
        if let author = row.author, !author.isEmpty {
            title += " written by \(author)"
        } else if let year = row.year, !year.isEmpty, !title.hasSuffix("(\(year))") {
            title += " (\(year))"
        }
        guard title.utf8.count <= longestTitle else {
            throw Refusal("item \(id) has a title of \(title.utf8.count) bytes")
        }
        if title.unicodeScalars.contains(where: isControl) {
            title = String(String.UnicodeScalarView(title.unicodeScalars.map { isControl($0) ? " " : $0 }))
        }
        return Item(id: id, title: title)
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .control
    }

    /// The beginning of a text, for messages.
    private static func shown(_ text: String) -> String { "\"\(text.prefix(40))\"" }
}

extension Row {
    fileprivate var hasTitle: Bool { title?.contains { !$0.isWhitespace } ?? false }
}

extension String {
    /// Without blanks around it.
    fileprivate var trimmed: String {
        guard let first = firstIndex(where: { !$0.isWhitespace }), let last = lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(self[first...last])
    }
}
