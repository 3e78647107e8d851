/// Files with a header, or whose columns were declared by position; the columns say what they hold.
extension SourceFiles {
    private static let endings = ["csv", "tsv"]
    private static let doubleColon = [UInt8](repeating: UInt8(ascii: ":"), count: 2)

    static func csv(_ inputs: InputPaths) throws -> SourceFiles {
        var tables: [Table] = []
        var unused: [SourceReport] = []
        for path in inputs.paths {
            if SourceFile.isFolder(path) {
                for file in try inputs.files(in: path, endings: endings) {
                    tables.append(try headed(file, inputs.rules))
                }
            } else {
                let file = inputs.file(path)
                try inputs.requireExisting(file)
                let table = try headed(file, inputs.rules, kind: inputs.hasOnlyOneFile ? .ratings : nil)
                if !inputs.hasOnlyOneFile, table.columns.isOfUnnamedItems {
                    throw RecommendationError.missingFile(
                        path: file.path,
                        wanted: "column that names the item (call it item_id or product_id, as in the orders); "
                            + "there are: " + InputPaths.shown(table.columns.names))
                }
                if inputs.hasOnlyOneFile || !table.columns.isOfItems {
                    try requireRatings(table, inputs.rules)
                }
                tables.append(table)
            }
        }
        let ratings = tables.filter(\.columns.hasRatings)
        guard !ratings.isEmpty else { throw noRatings(inputs, tables) }
        var items = tables.filter { $0.columns.isOfItems && !$0.columns.hasRatings }
        for table in tables where !table.columns.hasRatings && !table.columns.isOfItems {
            unused.append(SourceReport(table, use: .unused, reason: reason(against: table.columns)))
        }
        if items.isEmpty {
            // A file beside that cannot be used is none of ours.
            items = try inputs.beside(endings: endings).compactMap { try? headed($0, inputs.rules) }
                .filter(\.columns.isOfItems)
        }
        try inputs.requireDeclared(ratings: ratings.map(\.columns), items: items.map(\.columns))
        let files = SourceFiles(items: items, ratings: ratings, unused: unused)
        try files.checkTitles(path: inputs.text)
        return files
    }

    private static func noRatings(_ inputs: InputPaths, _ tables: [Table]) -> RecommendationError {
        // The table that says most about persons is the one that was meant.
        let likeliest = tables.first { $0.columns.user != nil && $0.columns.item != nil }
        if let likeliest, let missing = likeliest.columns.missingOfRatings {
            return missingColumn(likeliest, missing, inputs.rules)
        }
        let seen = tables.map { "\($0.file.name) has \(InputPaths.shown($0.columns.names))" }
        return .missingFile(
            path: inputs.text,
            wanted: "CSV file with columns for user, item and rating in its first line; name them: --columns "
                + "user=NAME,item=NAME,rating=NAME" + seen.map { "; " + $0 }.joined())
    }

    private static func reason(against columns: Columns) -> String {
        let isPeople = columns.hasTitles && columns.isPersonal
        return isPeople
            ? "one of its columns tells of persons, so it is no table of items"
            : "its first line names neither user, item and rating nor an item and its title"
    }

    private func checkTitles(path: String) throws {
        guard items.isEmpty, let untitled = ratings.first(where: { !$0.columns.hasTitles }) else { return }
        if let doubtful = untitled.columns.doubtfulTitle {
            throw RecommendationError.doubtfulTitle(
                file: untitled.file.path, column: untitled.columns.name(of: doubtful))
        }
        throw RecommendationError.missingTitles(
            path: path,
            wanted: "a column item_title (or --columns title=NAME), or a CSV file with columns for item and title "
                + "beside")
    }

    /// Reads the header. Without a separation the separator is the one of comma, semicolon, tab, bar and double colon that
    /// occurs most, unless a first line `sep=;` names it.
    static func headed(
        _ file: SourceFile, _ rules: ReadingRules, separation: Table.Separation? = nil, kind: Columns.Kind? = nil
    ) throws -> Table {
        let lines = try LineReader(file)
        var first = try lines.next()
        var headerLines = 1
        var separation = separation
        if separation == nil, let declared = DelimitedText.declaredSeparator(first?.bytes ?? []) {
            separation = .quoted(declared)
            first = try lines.next()
            headerLines += 1
        }
        let header = first?.bytes ?? []
        let used = separation ?? likeliest(header)
        let fields =
            switch used {
            case .plain(let separator): DelimitedText.split(header, separator: separator)
            case .sparing(let separator): DelimitedText.split(header, separator: [separator])
            case .quoted(let separator):
                DelimitedText.quoted(header, separator: separator, backslash: false)
                    ?? DelimitedText.split(header, separator: [separator])
            }
        let names = fields.map(DelimitedText.text)
        var columns = Columns(header: names, in: kind, rules: rules)
        if rules.columns.arePositions, !Columns(header: names).isOfItems {
            columns = Columns(positions: rules.columns, ratings: rules.ratings, count: names.count)
            headerLines -= 1
            if let first { lines.giveBack([first]) }
        }
        return Table(
            file: file, columns: columns, separation: used, headerLines: headerLines,
            lines: file.isRegular ? nil : lines)
    }

    private static func likeliest(_ header: ArraySlice<UInt8>) -> Table.Separation {
        let separators = [",", ";", "\t", "|"].map { (separator: Character) in separator.asciiValue ?? 0 }
        let counts = separators.map { separator in header.count { $0 == separator } }
        let most = counts.max() ?? 0
        if DelimitedText.split(header, separator: doubleColon).count - 1 > most { return .plain(doubleColon) }
        return .quoted(separators[counts.firstIndex(of: most) ?? 0])
    }

    /// - Throws: `RecommendationError.missingColumn`, `.noSuchColumn`.
    static func requireRatings(_ table: Table, _ rules: ReadingRules) throws {
        if let missing = table.columns.missingOfRatings { throw missingColumn(table, missing, rules) }
    }

    static func missingColumn(
        _ table: Table, _ missing: ColumnMeaning, _ rules: ReadingRules
    ) -> RecommendationError {
        let (path, seen) = (table.file.path, InputPaths.seen(in: [table.columns]))
        guard let declared = rules.columns[missing], !rules.columns.arePositions else {
            return .missingColumn(file: path, column: missing, header: seen)
        }
        return .noSuchColumn(path: path, column: declared, meaning: missing, seen: seen)
    }
}
