/// Reads files with one JSON object a line, or with one array of objects; every object says for itself what it is.
///
/// An object with user, item and rating is an interaction, and names its item too when it has the item's title; one with item
/// and title but neither rating nor anything of a person is an item. Names are those of CSV headers, and in objects inside
/// the object those of their paths. Items are taken first, wherever they stand, except from a pipe, where they must come
/// before the ratings that name them.
struct JSONLinesReader {
    private enum Taking { case items, ratings, both }

    private static let endings = ["jsonl", "ndjson", "json"]

    private let inputs: InputPaths
    private let files: [SourceFile]

    /// - Throws: `RecommendationError.missingFile`.
    init(_ inputs: InputPaths) throws {
        self.inputs = inputs
        files = try inputs.paths.flatMap { path in
            if SourceFile.isFolder(path) { return try inputs.files(in: path, endings: Self.endings) }
            let file = inputs.file(path)
            try inputs.requireExisting(file)
            return [file]
        }
        guard !files.isEmpty else {
            throw RecommendationError.missingFile(
                path: inputs.text, wanted: "JSON lines with user, item and rating")
        }
    }

    func read(into collector: inout RowCollector) throws {
        var seen: [String: Seen] = [:]
        for file in files where file.isRegular {
            try read(file, .items, into: &collector, &seen[file.path, default: Seen()])
        }
        if !files.contains(where: { (seen[$0.path]?.items ?? 0) > 0 }) {
            for file in try inputs.beside(endings: Self.endings) {
                var found = Seen()
                do {
                    try read(file, .items, into: &collector, &found)
                    if found.items > 0 { collector.note(found.report(file)) }
                } catch RecommendationError.unreadableFile(_, let reason) where found.items == 0 {
                    // Nobody named it. One that is cut behind its first items is the catalogue all the same, and not whole.
                    collector.note(SourceReport(file: file.name, use: .unused, reason: reason))
                }
            }
        }
        for file in files {
            var found = Seen()
            try read(file, file.isRegular ? .ratings : .both, into: &collector, &found)
            seen[file.path, default: Seen()].add(found)
        }
        let found = files.map { seen[$0.path] ?? Seen() }
        try requireMeanings(found)
        for (file, seen) in zip(files, found) { collector.note(seen.report(file)) }
    }

    /// - Throws: `RecommendationError.noSuchColumn`, `.missingColumn` when no object of any file had what all ratings need.
    private func requireMeanings(_ found: [Seen]) throws {
        guard found.contains(where: { !$0.names.isEmpty }) else { return }
        let all = Columns(header: found.flatMap(\.names), in: .ratings, rules: inputs.rules)
        try inputs.requireDeclared(ratings: [all], items: [], mixed: true)
        if let missing = all.missingOfRatings {
            throw RecommendationError.missingColumn(
                file: inputs.text, column: missing, header: InputPaths.shown(found.flatMap(\.names)))
        }
    }

    /// - Parameter seen: what was taken, also where the file cannot be read to its end.
    private func read(
        _ file: SourceFile, _ taking: Taking, into collector: inout RowCollector, _ seen: inout Seen
    ) throws {
        let records = try JSONRecords(file)
        // Most objects have the keys of the one before.
        var columns = Columns(header: [], rules: inputs.rules)
        while let line = try records.next() {
            if line.bytes.isEmpty, !line.isTooLong { continue }
            let text = Array(DelimitedText.text(line.bytes).utf8)
            guard !line.isTooLong, let object = JSONFields(text[...]) else {
                guard taking != .items else { continue }
                collector.refuse(
                    line.isTooLong ? .longLine : Refusal(.object), file: records.name, line: line.number, isRating: true
                )
                continue
            }
            let isKnown = columns.names == object.keys
            if !isKnown { columns = Columns(header: object.keys, rules: inputs.rules) }
            let isItem = columns.isOfItems && columns.rating == nil && columns.event == nil
            guard taking == .both || (taking == .items) == isItem else { continue }
            seen.add(columns, isItem: isItem, isKnown: isKnown)
            do {
                let row = try row(of: object, columns)
                if isItem {
                    try collector.takeItem(row, file: records.name, line: line.number)
                } else {
                    try collector.takeRating(
                        row, titleColumn: columns.title.map(columns.name), file: records.name, line: line.number)
                }
            } catch let error as JSONFields.NoIdentifier {
                let refusal = Refusal(.identifier, "id \(error)")
                collector.refuse(refusal, file: records.name, line: line.number, isRating: !isItem)
            }
        }
    }

    private func row(of object: JSONFields, _ columns: Columns) throws -> Row {
        Row(
            user: try object.identifier(columns.user), item: try object.identifier(columns.item),
            rating: object.text(columns.rating),
            // A time that is null is none, not the beginning of time.
            timestamp: columns.timestamp.map { object.text($0) ?? "" },
            title: object.text(columns.title), year: object.text(columns.year), author: object.text(columns.author),
            event: object.text(columns.event), doubtfulTitle: columns.doubtfulTitle.map(columns.name),
            isTitleOnlyDeclared: columns.isTitleOnlyDeclared, fields: columns.texts(of: columns.fields, object.text))
    }

    /// What the lines of a file were.
    private struct Seen {
        var items = 0
        private var ratings = 0
        private var used: [SourceReport.Column] = []
        /// Keys, each once.
        private(set) var names: [String] = []

        mutating func add(_ columns: Columns, isItem: Bool, isKnown: Bool) {
            if isItem { items += 1 } else { ratings += 1 }
            guard !isKnown || names.isEmpty else { return }
            // Whoever makes up keys shall not fill the memory, nor keys that mean something in ever other spellings.
            for column in columns.used
            where !used.contains(column) && used.count(where: { $0.meaning == column.meaning }) < Self.spellings {
                used.append(column)
            }
            for name in columns.names where names.count < Self.limit && !names.contains(name) { names.append(name) }
            for column in columns.used where used.contains(column) && !names.contains(column.name) {
                names.append(column.name)
            }
        }

        mutating func add(_ other: Seen) {
            items += other.items
            ratings += other.ratings
            used += other.used.filter { !used.contains($0) }
            names += other.names.filter { !names.contains($0) }
        }

        private static let limit = 1000
        /// Of one meaning.
        private static let spellings = 10

        func report(_ file: SourceFile) -> SourceReport {
            guard items + ratings > 0 else {
                return SourceReport(file: file.name, use: .unused, reason: "no line is a JSON object")
            }
            let taken = Set(used.map(\.name))
            return SourceReport(
                file: file.name, use: items == 0 ? .ratings : ratings == 0 ? .items : .both, columns: used,
                unusedColumns: names.filter { !taken.contains($0) })
        }
    }
}
