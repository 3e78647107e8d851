import Foundation

/// Reads files with one JSON object a line; every line says for itself what it is.
///
/// An object with user, item and rating is an interaction, and names its item too when it has the item's title; one with item
/// and title but neither rating nor anything of a person is an item. Names are those of CSV headers. Items are taken first,
/// wherever they stand, except from a pipe, where they must come before the ratings that name them.
struct JSONLinesReader {
    private enum Taking { case items, ratings, both }

    private let path: String
    private let titleColumn: String?
    private let isSingle: Bool
    /// In a folder, its files; else the files beside, of which only items are taken.
    private let files: [String]

    /// - Throws: `RecommendationError.missingFile`.
    init(path: String, titleColumn: String?) throws {
        self.path = path
        self.titleColumn = titleColumn
        isSingle = !SourceFiles.isFolder(path)
        guard !isSingle || SourceFiles.exists(path) else {
            throw RecommendationError.missingFile(path: path, wanted: "file")
        }
        files = try SourceFiles.candidates(for: path, extensions: ["jsonl", "ndjson", "json"])
        guard isSingle || !files.isEmpty else {
            throw RecommendationError.missingFile(path: path, wanted: "JSON lines with user, item and rating")
        }
    }

    func read(into collector: inout RowCollector) throws {
        var seen: [String: Seen] = [:]
        let ours = isSingle ? [path] : files
        if isSingle {
            // A file beside that cannot be read is none of ours.
            for file in files where (try? LineReader(path: file)) != nil {
                let found = try read(file, .items, into: &collector)
                if found.items > 0 { collector.note(found.report(file)) }
            }
        }
        if !isSingle || SourceFiles.isRegular(path) {
            for file in ours { seen[file] = try read(file, .items, into: &collector) }
            for file in ours { seen[file, default: Seen()].add(try read(file, .ratings, into: &collector)) }
        } else {
            seen[path] = try read(path, .both, into: &collector)
        }
        for file in ours { collector.note((seen[file] ?? Seen()).report(file)) }
    }

    private func read(_ path: String, _ taking: Taking, into collector: inout RowCollector) throws -> Seen {
        let lines = try LineReader(path: path)
        var seen = Seen()
        while let line = try lines.next() {
            if line.bytes.isEmpty, !line.isTooLong { continue }
            let text = Array(DelimitedText.text(line.bytes).utf8)
            guard !line.isTooLong, let object = JSONFields(text[...]) else {
                guard taking != .items else { continue }
                let reason = line.isTooLong ? "longer than \(LineReader.longestLine) bytes" : "not a JSON object"
                collector.refuse(reason, file: lines.name, line: line.number, isRating: true)
                continue
            }
            let columns = Columns(header: object.keys, titleColumn: titleColumn)
            let isItem = columns.hasTitles && columns.rating == nil && !columns.isPersonal
            guard taking == .both || (taking == .items) == isItem else { continue }
            seen.add(columns, isItem: isItem)
            do {
                let row = try row(of: object, columns)
                if isItem {
                    try collector.takeItem(row, file: lines.name, line: line.number)
                } else {
                    try collector.takeRating(
                        row, titleColumn: columns.title.map(columns.name), file: lines.name, line: line.number)
                }
            } catch let error as JSONFields.NotWhole {
                collector.refuse("id \(error)", file: lines.name, line: line.number, isRating: !isItem)
            }
        }
        return seen
    }

    private func row(of object: JSONFields, _ columns: Columns) throws -> Row {
        Row(
            user: try object.identifier(columns.user), item: try object.identifier(columns.item),
            rating: object.text(columns.rating), timestamp: object.text(columns.timestamp),
            title: object.text(columns.title), year: object.text(columns.year), author: object.text(columns.author),
            doubtfulTitle: columns.doubtfulTitle.map(columns.name))
    }

    /// What the lines of a file were.
    private struct Seen {
        var items = 0
        private var ratings = 0
        private var used: [SourceReport.Column] = []
        private var unused: [String] = []

        mutating func add(_ columns: Columns, isItem: Bool) {
            if isItem { items += 1 } else { ratings += 1 }
            for column in columns.used where !used.contains(column) { used.append(column) }
            guard unused.count < SourceReport.namesLimit else { return }
            for name in columns.unused where !unused.contains(name) { unused.append(name) }
        }

        mutating func add(_ other: Seen) {
            items += other.items
            ratings += other.ratings
            used += other.used.filter { !used.contains($0) }
            unused += other.unused.filter { !unused.contains($0) }
        }

        func report(_ path: String) -> SourceReport {
            let names = Set(used.map(\.name))
            guard items + ratings > 0 else {
                return SourceReport(file: path.lastPathComponent, use: .unused, reason: "no line is a JSON object")
            }
            return SourceReport(
                file: path.lastPathComponent, use: items == 0 ? .ratings : ratings == 0 ? .items : .both, columns: used,
                unusedColumns: unused.filter { !names.contains($0) })
        }
    }
}
