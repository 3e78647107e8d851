import Files

/// Turns rows into items and interactions, refuses what is broken, and hands out batches.
struct RowCollector {
    private(set) var report = ImportReport()
    private let size: Int
    private let body: (ReaderBatch) throws -> Void
    private var batch = ReaderBatch()
    /// By id, the items handed out: the title that rows of ratings gave, "" for those of a table of items. Only looked up,
    /// so its order does not matter.
    private var catalogue: [String: String] = [:]
    /// By id, what rows of ratings said of items beside their titles. Only looked up.
    private var fieldsOfRatings: [String: [String: String]] = [:]
    /// A table or a line of items was there.
    private var hasItemRows = false
    private var ordinal: Int64 = 0
    private let rules: ReadingRules
    /// Where ratings come from events: the largest weight so far of what a row gave more than the smallest one. Only looked up.
    private var weights: [InteractionKey: Double] = [:]
    /// By file. Only looked up.
    private var forms: [String: ValueForms] = [:]

    /// Longest accepted title, in bytes.
    static let longestTitle = 4096

    init(size: Int, rules: ReadingRules, body: @escaping (ReaderBatch) throws -> Void) {
        self.size = max(1, size)
        self.rules = rules
        self.body = body
    }

    /// To be called when the file has been read.
    mutating func note(_ file: SourceReport) {
        var file = file
        file.forms = forms[file.file] ?? ValueForms()
        report.files.append(file)
    }

    mutating func refuse(_ refusal: Refusal, file: String, line: Int, isRating: Bool, row: Row? = nil) {
        report.read += 1
        if isRating { ordinal += 1 }
        report.refuse(refusal, file: file, line: line, row: row)
    }

    /// A row of a file that holds items only.
    mutating func takeItem(_ row: Row, file: String, line: Int) throws {
        do {
            let item = try Self.item(of: row)
            guard catalogue.updateValue("", forKey: item.id) == nil else {
                throw Refusal(.repeatedItem, "item \(item.id) was named before")
            }
            hasItemRows = true
            report.read += 1
            try hand(out: item)
        } catch let refusal as Refusal {
            refuse(refusal, file: file, line: line, isRating: false, row: row)
        }
    }

    /// A row of a file of ratings; it may name its item too.
    ///
    /// - Throws: `RecommendationError.doubtfulTitle`, `.conflictingTitles`; whatever the receiver throws.
    mutating func takeRating(_ row: Row, titleColumn: String? = nil, file: String, line: Int) throws {
        var row = row
        // Beside a table of items a name that only may be the title is somebody's: that table's column was meant.
        if row.isTitleOnlyDeclared, hasItemRows { row.title = nil }
        do {
            let (interaction, written) = try interaction(of: row, file: file)
            if let known = catalogue[interaction.item] {
                // What a table of items says counts; among rows of ratings all must say the same.
                if !known.isEmpty, !row.fields.isEmpty, Self.fields(of: row) != fieldsOfRatings[interaction.item] {
                    throw RecommendationError.conflictingTitles(
                        file: file, line: line, item: interaction.item,
                        column: "of " + row.fields.keys.sorted().map { "field:\($0)" }.joined(separator: ", "))
                }
                if !known.isEmpty, row.hasTitle, try Self.item(of: row).title != known {
                    throw RecommendationError.conflictingTitles(
                        file: file, line: line, item: interaction.item, column: titleColumn ?? "title")
                }
            } else {
                if row.title == nil, let column = row.doubtfulTitle, !hasItemRows {
                    throw RecommendationError.doubtfulTitle(file: file, column: column)
                }
                if rules.itemsAreDeclared {
                    guard hasItemRows else { throw RecommendationError.noTableOfItems }
                    throw Refusal(.undeclared, "item \(interaction.item) is not in the table of items")
                }
                // The catalogue of a cluster is not asked: what an import gives is a function of its own rows.
                guard row.title != nil else {
                    throw Refusal(.untitled, "item \(interaction.item) has no title: this import names none")
                }
                let item = try Self.item(of: row)
                catalogue[item.id] = item.title
                fieldsOfRatings[item.id] = item.fields
                try hand(out: item)
            }
            report.read += 1
            report.kept += 1
            ordinal += 1
            note(interaction.timestamp, written, file: file)
            batch.interactions.append(weighted(interaction))
            try flushIfFull()
        } catch let refusal as Refusal {
            refuse(refusal, file: file, line: line, isRating: true, row: row)
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

    /// How a row's values are written.
    private struct Written {
        var time: Timestamps.Form?
        var hasComma = false
    }

    private mutating func note(_ time: Int64, _ written: Written, file: String) {
        if let form = written.time {
            forms[file, default: ValueForms()].add(time: time, form)
        } else {
            forms[file, default: ValueForms()].addUntimed()
        }
        if written.hasComma { forms[file, default: ValueForms()].addDecimalComma() }
    }

    private func interaction(of row: Row, file: String) throws(Refusal) -> (Interaction, Written) {
        let user = try Self.id(row.user, of: "user")
        let item = try Self.id(row.item, of: "item")
        let (rating, hasComma) = try rating(of: row)
        let time = try time(row.timestamp, file: file)
        let interaction = Interaction(
            user: user, item: item, timestamp: time?.seconds ?? 0, rating: rating, ordinal: ordinal)
        return (interaction, Written(time: time?.form, hasComma: hasComma))
    }

    /// Of events the largest weight of a user, item and time counts, whichever row comes last: somebody who looks once more on
    /// the day of a purchase has not taken it back. Rows of the smallest weight, which most are, need not be remembered.
    private mutating func weighted(_ interaction: Interaction) -> Interaction {
        guard case .events(let events) = rules.ratings else { return interaction }
        var interaction = interaction
        if let known = weights[interaction.key] { interaction.rating = max(interaction.rating, known) }
        if interaction.rating > events.smallest { weights[interaction.key] = interaction.rating }
        return interaction
    }

    private func rating(of row: Row) throws(Refusal) -> (value: Double, hasComma: Bool) {
        switch rules.ratings {
        case .every(let rating): return (rating, false)
        case .events(let weights):
            guard let event = row.event?.trimmingBlanks, !event.isEmpty else { throw Refusal(.noEvent) }
            guard let weight = weights[event] else {
                throw Refusal(.event, "event \(Self.shown(event)) has no weight")
            }
            return (weight, false)
        case .column:
            guard let text = row.rating?.trimmingBlanks, !text.isEmpty else { throw Refusal(.noRating) }
            guard let rating = WrittenNumber.value(text) else {
                throw Refusal(.rating, "rating \(Self.shown(text)) is not a number")
            }
            return rating
        }
    }

    /// nil without such a column. Digits that could be a date are one unless the file began with a number: counters of seconds come
    /// by such values, too.
    private func time(_ text: String?, file: String) throws(Refusal) -> (seconds: Int64, form: Timestamps.Form)? {
        guard let text = text?.trimmingBlanks else { return nil }
        let first = forms[file]?.times.first?.form
        guard
            let time = Timestamps.read(
                text, unit: rules.timeUnit, digitsAreDates: first == nil || first == .date)
        else {
            throw text.isEmpty
                ? Refusal(.noTime, "no timestamp")
                : Refusal(.time, "timestamp \(Self.shown(text)) is neither a number nor an ISO 8601 date")
        }
        return time
    }

    private static func id(_ text: String?, of what: String) throws(Refusal) -> String {
        do {
            return try Identifier.canonical(text ?? "")
        } catch {
            switch error {
            case .empty: throw Refusal(what == "user" ? .noUser : .noItem)
            case .tooLong(let bytes): throw Refusal(.identifier, "\(what) id of \(bytes) bytes")
            case .controlCharacter: throw Refusal(.identifier, "\(what) id with a control character")
            }
        }
    }

    /// `Toy Story (1995)` where the year stands in a column of its own; `Emma written by Jane Austen` where there is an
    /// author (arXiv 2305.00447); else the title as it is, with HTML's entities decoded and control characters made spaces.
    private static func item(of row: Row) throws(Refusal) -> Item {
        let id = try id(row.item, of: "item")
        guard row.hasTitle, var title = row.title.map(HTMLEntities.decoded) else {
            throw Refusal(.untitled, "item \(id) has no title")
        }
        if let author = row.author, !author.isEmpty {
            title += " written by \(HTMLEntities.decoded(author))"
        } else if let year = row.year.flatMap(Self.year), !title.hasSuffix("(\(year))") {
            title += " (\(year))"
        }
        guard title.utf8.count <= longestTitle else {
            throw Refusal(.longTitle, "item \(id) has a title of \(title.utf8.count) bytes")
        }
        if title.unicodeScalars.contains(where: isControl) {
            title = String(String.UnicodeScalarView(title.unicodeScalars.map { isControl($0) ? " " : $0 }))
        }
        return Item(id: id, title: title, fields: fields(of: row))
    }

    /// The year as a title has it. Writers of tables that know gaps only in floating-point numbers write `1995.0`, and `nan` or 0
    /// where there is none; every other text is taken as it is.
    ///
    /// - Returns: nil: there is none.
    private static func year(_ text: String) -> String? {
        let bare = text.trimmingBlanks
        let whole = bare.hasSuffix(".0") ? bare.dropLast(2) : bare[...]
        let isNumber = (1...4).contains(whole.utf8.count) && whole.utf8.allSatisfy { (0x30...0x39).contains($0) }
        if text.isEmpty || ["nan", "none", "null"].contains(bare.lowercased()) || (isNumber && whole == "0") {
            return nil
        }
        return isNumber && whole.count < bare.count ? String(whole) : text
    }

    private static func fields(of row: Row) -> [String: String]? {
        row.fields.isEmpty ? nil : ItemFields.canonical(row.fields.mapValues(HTMLEntities.decoded))
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory == .control
    }

    /// The beginning of a text, for messages.
    private static func shown(_ text: String) -> String { "\"\(text.prefix(40))\"".printable }
}
