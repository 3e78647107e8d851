import Foundation

/// The files that an import consists of.
struct SourceFiles {
    /// A file whose rows are fields.
    struct Table {
        enum Separation {
            case plain([UInt8])
            case quoted(UInt8)
        }

        var path: String
        var columns: Columns
        var separation: Separation
        var hasHeader: Bool
        /// Behind the header, of what can be read only once.
        var lines: LineReader?
    }

    var items: [Table]
    var ratings: [Table]
    /// Files of a folder of which nothing is taken, and why.
    var unused: [SourceReport] = []

    static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: path) && !isFolder(path)
    }

    /// False for pipes and devices: opened twice they give nothing, or wait for ever.
    static func isRegular(_ path: String) -> Bool {
        let url = URL(fileURLWithPath: path).resolvingSymlinksInPath()
        return (try? url.resourceValues(forKeys: [.isRegularFileKey]).isRegularFile) ?? false
    }

    /// Files in a folder whose names end in one of the extensions, sorted by name.
    static func files(in folder: String, extensions: [String]) throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder)
                .filter { extensions.contains(($0 as NSString).pathExtension.lowercased()) }
                .sorted()
                .map { (folder as NSString).appendingPathComponent($0) }
                .filter(isRegular)
        } catch {
            throw RecommendationError.unreadableFile(path: folder, reason: error.localizedDescription)
        }
    }

    /// Files of a folder that no report names yet: this format does not read them.
    static func others(in folder: String, than known: [SourceReport]) throws -> [SourceReport] {
        let names = Set(known.map(\.file))
        return try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
            .filter { !names.contains($0) && !isFolder((folder as NSString).appendingPathComponent($0)) }
            .prefix(SourceReport.namesLimit)
            .map { SourceReport(file: $0, use: .unused, reason: "the format does not read it") }
    }

    /// The files beside a file, without itself; of a folder, the files in it.
    static func candidates(for path: String, extensions: [String]) throws -> [String] {
        guard !isFolder(path) else { return try files(in: path, extensions: extensions) }
        // By name: the same file may be spelled with another path.
        let name = (path as NSString).lastPathComponent
        return try files(in: folder(of: path), extensions: extensions).filter {
            ($0 as NSString).lastPathComponent != name
        }
    }

    static func folder(of path: String) -> String {
        let folder = (path as NSString).deletingLastPathComponent
        return folder.isEmpty ? "." : folder
    }

    /// `NAME.inter` and `NAME.item`.
    static func recbole(_ path: String, titleColumn: String?) throws -> SourceFiles {
        var prefix = path
        for ending in [".inter", ".item"] where path.hasSuffix(ending) { prefix = String(path.dropLast(ending.count)) }
        if isFolder(path) {
            let found = try files(in: path, extensions: ["inter"])
            let named = (path as NSString).appendingPathComponent((path as NSString).lastPathComponent + ".inter")
            guard let ratings = found.contains(named) ? named : found.first, found.count == 1 || ratings == named else {
                throw RecommendationError.missingFile(
                    path: path, wanted: found.isEmpty ? "file NAME.inter" : "single .inter file; name one of them")
            }
            prefix = String(ratings.dropLast(".inter".count))
        }
        guard exists(prefix + ".inter") else {
            throw RecommendationError.missingFile(path: path, wanted: "file \(prefix).inter")
        }
        guard exists(prefix + ".item") else {
            throw RecommendationError.missingTitles(path: path, wanted: "file \(prefix).item")
        }
        let tab = Table.Separation.plain([UInt8(ascii: "\t")])
        let ratings = try headed(prefix + ".inter", separation: tab, kind: .ratings, titleColumn: nil)
        let items = try headed(prefix + ".item", separation: tab, kind: .items, titleColumn: titleColumn)
        try require(ratings, isRatings: true)
        try require(items, isRatings: false)
        return SourceFiles(items: [items], ratings: [ratings])
    }

    /// `u.data` with `u.item`, or `ratings.dat` with `movies.dat`.
    static func movielens(_ path: String) throws -> SourceFiles {
        let folder = isFolder(path) ? path : folder(of: path)
        let name = isFolder(path) ? nil : (path as NSString).lastPathComponent
        let inFolder = { (folder as NSString).appendingPathComponent($0) }
        let double = [UInt8](repeating: UInt8(ascii: ":"), count: 2)
        let sets: [(ratings: Table, items: Table)] = [
            (
                Table(
                    path: inFolder("u.data"),
                    columns: Columns(user: 0, item: 1, rating: 2, timestamp: 3, count: 4...4),
                    separation: .plain([UInt8(ascii: "\t")]), hasHeader: false),
                Table(
                    path: inFolder("u.item"), columns: Columns(item: 0, title: 1, count: 2...64),
                    separation: .plain([UInt8(ascii: "|")]), hasHeader: false)
            ),
            (
                Table(
                    path: inFolder("ratings.dat"),
                    columns: Columns(user: 0, item: 1, rating: 2, timestamp: 3, count: 4...4),
                    separation: .plain(double), hasHeader: false),
                Table(
                    path: inFolder("movies.dat"), columns: Columns(item: 0, title: 1, count: 3...3),
                    separation: .plain(double), hasHeader: false)
            ),
        ]
        let wanted = sets.first { set in
            name.map { [set.ratings.path, set.items.path].contains(inFolder($0)) } ?? exists(set.ratings.path)
        }
        guard let wanted, exists(wanted.ratings.path) else {
            throw RecommendationError.missingFile(path: path, wanted: "u.data or ratings.dat")
        }
        guard exists(wanted.items.path) else {
            throw RecommendationError.missingTitles(path: path, wanted: "file \(wanted.items.path)")
        }
        return SourceFiles(items: [wanted.items], ratings: [wanted.ratings])
    }

    /// Files with a header; their columns say what they hold.
    static func csv(_ path: String, titleColumn: String?) throws -> SourceFiles {
        let isSingle = !isFolder(path)
        guard !isSingle || exists(path) else { throw RecommendationError.missingFile(path: path, wanted: "file") }
        var tables: [Table] = []
        var unused: [SourceReport] = []
        for file in try candidates(for: path, extensions: ["csv", "tsv"]) {
            do {
                tables.append(try headed(file, separation: nil, titleColumn: titleColumn))
            } catch {
                unused.append(SourceReport(file: file.lastPathComponent, use: .unused, reason: "\(error)"))
            }
        }
        let ratings =
            isSingle
            ? [try headed(path, separation: nil, kind: .ratings, titleColumn: titleColumn)]
            : tables.filter(\.columns.hasRatings)
        if isSingle { try require(ratings[0], isRatings: true) }
        guard !ratings.isEmpty else {
            throw RecommendationError.missingFile(
                path: path, wanted: "CSV file with columns for user, item and rating in its first line")
        }
        let items = tables.filter { $0.columns.hasTitles && $0.columns.user == nil && !$0.columns.isPersonal }
        for table in tables where !table.columns.hasRatings && !items.contains(where: { $0.path == table.path }) {
            let reason = "its first line names neither user, item and rating nor an item and its title"
            unused.append(SourceReport(table, use: .unused, reason: reason))
        }
        // A file beside that cannot be used is none of ours.
        let files = SourceFiles(items: items, ratings: ratings, unused: isSingle ? [] : unused)
        try files.checkTitles(path: path, titleColumn: titleColumn)
        return files
    }

    private func checkTitles(path: String, titleColumn: String?) throws {
        if let titleColumn,
            !(items + ratings).contains(where: { table in
                table.columns.names.contains { ColumnNames.normalised($0) == ColumnNames.normalised(titleColumn) }
            })
        {
            throw RecommendationError.noSuchTitleColumn(path: path, column: titleColumn)
        }
        guard items.isEmpty, let untitled = ratings.first(where: { !$0.columns.hasTitles }) else { return }
        if let doubtful = untitled.columns.doubtfulTitle {
            throw RecommendationError.doubtfulTitle(
                file: untitled.path, column: untitled.columns.name(of: doubtful))
        }
        throw RecommendationError.missingTitles(
            path: path, wanted: "a column item_title, or a CSV file with columns for item and title beside")
    }

    /// Reads the header. Without a separation the separator is the one of comma, semicolon and tab that occurs most.
    private static func headed(
        _ path: String, separation: Table.Separation?, kind: Columns.Kind? = nil, titleColumn: String?
    ) throws -> Table {
        let lines = try LineReader(path: path)
        let header = try lines.next()?.bytes ?? []
        let separators = [",", ";", "\t"].map { (separator: Character) in separator.asciiValue ?? 0 }
        let counts = separators.map { separator in header.count { $0 == separator } }
        let most = counts.max() ?? 0
        let separation = separation ?? .quoted(separators[counts.firstIndex(of: most) ?? 0])
        let fields =
            switch separation {
            case .plain(let separator): DelimitedText.split(header, separator: separator)
            case .quoted(let separator):
                DelimitedText.quoted(header, separator: separator, backslash: false)
                    ?? DelimitedText.split(header, separator: [separator])
            }
        return Table(
            path: path,
            columns: Columns(header: fields.map(DelimitedText.text), in: kind, titleColumn: titleColumn),
            separation: separation, hasHeader: true, lines: isRegular(path) ? nil : lines)
    }

    private static func require(_ table: Table, isRatings: Bool) throws {
        let columns = table.columns
        let item = ("the item (item_id)", columns.item)
        let wanted =
            isRatings
            ? [("the user (user_id)", columns.user), item, ("the rating", columns.rating)]
            : [item, ("the title", columns.title)]
        for (name, column) in wanted where column == nil {
            throw RecommendationError.missingColumn(
                file: table.path, column: name, header: String(table.columns.names.joined(separator: ",").prefix(200)))
        }
    }
}

extension String {
    var lastPathComponent: String { (self as NSString).lastPathComponent }
}
