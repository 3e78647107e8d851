import Files
import Foundation

/// The paths that an import was given, and what was said about them.
struct InputPaths {
    var paths: [String]
    var rules: ReadingRules

    /// For messages about all of them.
    var text: String { paths.joined(separator: " ") }

    var hasOnlyOneFile: Bool { paths.count == 1 && !SourceFile.isFolder(paths[0]) }

    /// Of several paths the files go by the path, so that files of the same name are told apart.
    func file(_ path: String) -> SourceFile {
        let goesByPath = paths.count > 1 && path != SourceFile.standardInput
        return SourceFile(path, name: goesByPath ? path : nil, encoding: rules.encoding)
    }

    /// Files in a folder with one of the endings, packed or not, by name, part 2 before part 10.
    func files(in folder: String, endings: [String]) throws -> [SourceFile] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder)
                .filter { endings.contains(SourceFile.ending(of: $0)) && !Self.isHidden($0) }
                .sorted(by: SourceFiles.isInOrder)
                .map { file((folder as NSString).appendingPathComponent($0)) }
                .filter(\.isRegular)
        } catch {
            throw RecommendationError.unreadableFile(path: folder, reason: FileFailure.reason(of: error))
        }
    }

    /// What a system keeps beside somebody's files: `._ratings.csv` of a Mac, which is no table.
    static func isHidden(_ name: String) -> Bool { name.hasPrefix(".") }

    /// The files beside those that were named one by one, each once.
    func beside(endings: [String]) throws -> [SourceFile] {
        let named = paths.filter { !SourceFile.isFolder($0) && $0 != SourceFile.standardInput }
        // By name: the same file may be spelled with another path.
        let names = named.map(\.lastPathComponent)
        var folders: [String] = []
        for folder in named.map(FilePath.folder) where !folders.contains(folder) { folders.append(folder) }
        return try folders.flatMap { try files(in: $0, endings: endings) }.filter {
            !names.contains($0.path.lastPathComponent)
        }
    }

    /// Files of the folders that no report names yet: this format does not read them.
    func others(than known: [SourceReport]) throws -> [SourceReport] {
        let names = Set(known.map(\.file))
        return try paths.filter(SourceFile.isFolder).flatMap { folder in
            try FileManager.default.contentsOfDirectory(atPath: folder).sorted(by: SourceFiles.isInOrder)
                .map { file((folder as NSString).appendingPathComponent($0)) }
                .filter { !names.contains($0.name) && !SourceFile.isFolder($0.path) }
        }
        .prefix(SourceReport.namesLimit)
        .map { file in
            if Self.isHidden(file.path.lastPathComponent) {
                return SourceReport(
                    file: file.name, use: .unused, reason: "its name begins with a dot; name it to have it read")
            }
            let objection = FileContents.objection(to: Self.firstBytes(of: file)[...], path: file.path)
            return SourceReport(
                file: file.name, use: .unused, reason: objection ?? "the format does not read it")
        }
    }

    /// None of what cannot be opened or is no file: it is not read either way.
    private static func firstBytes(of file: SourceFile) -> [UInt8] {
        guard file.isRegular, let handle = FileHandle(forReadingAtPath: file.path) else { return [] }
        defer { try? handle.close() }
        let bytes = try? handle.read(upToCount: 8)
        return bytes.map { Array($0) } ?? []
    }

    /// Of formats whose files go by their names and belong together.
    ///
    /// - Throws: `RecommendationError.invalidColumns`
    func refuseStandardInput(of format: String) throws {
        guard paths.contains(SourceFile.standardInput) else { return }
        throw RecommendationError.invalidColumns(
            reason:
                "\(format) is several files, which standard input (-) cannot be: name them or their folder; csv and jsonl "
                + "are read from it (a file called - is ./-)")
    }

    /// Whoever reads it second finds nothing, and would say that it is empty.
    ///
    /// - Throws: `RecommendationError.invalidColumns`
    func refuseRepeatedStandardInput() throws {
        guard paths.count(where: { $0 == SourceFile.standardInput }) > 1 else { return }
        throw RecommendationError.invalidColumns(reason: "standard input (-) is named more than once; it is read once")
    }

    func requireExisting(_ file: SourceFile, wanted: String = "file") throws {
        guard file.exists else { throw RecommendationError.missingFile(path: file.path, wanted: wanted) }
    }

    /// - Parameters:
    ///   - mixed: whether `ratings` tells of items, too, as objects of JSON do.
    ///   - fieldsAreOfItems: whether fields are taken of `items` alone.
    /// - Throws: `RecommendationError.noSuchColumn` when a declared column is nowhere that it could be; `.invalidColumns` when
    ///   one of an item's field is.
    func requireDeclared(
        ratings: [Columns], items: [Columns], mixed: Bool = false, fieldsAreOfItems: Bool = false
    ) throws {
        for field in rules.columns.fields {
            try require(
                field.column, in: fieldsAreOfItems ? items : ratings + items, "is declared for field:\(field.name)")
        }
        let names = Set(rules.columns.fields.map(\.name))
        // Beside a person an undeclared column may be that person's.
        for name in rules.itemFields where !names.contains(name) {
            try require(name, in: mixed ? ratings : items, "the template shows (beside a person it must be declared)")
        }
        for declaration in rules.columns.all {
            let isOfItems = [.item, .title, .year, .author].contains(declaration.meaning)
            let tables = isOfItems ? ratings + items : ratings
            guard tables.contains(where: { Self.has(declaration.column, $0) }) else {
                throw RecommendationError.noSuchColumn(
                    path: text, column: declaration.column, meaning: declaration.meaning, seen: Self.seen(in: tables))
            }
        }
    }

    private func require(_ column: String, in tables: [Columns], _ reason: String) throws {
        if tables.contains(where: { Self.has(column, $0) }) { return }
        throw RecommendationError.invalidColumns(
            reason: "\(text): no table has the column \(column.prefix(80)) that \(reason); there are: "
                + "\(Self.seen(in: tables)); name another one: --columns field:NAME=COLUMN")
    }

    /// By its name, or where no names stand in the first line by its position.
    private static func has(_ column: String, _ table: Columns) -> Bool {
        guard table.names.isEmpty else {
            let normalised = table.names.map(ColumnNames.normalised)
            return DeclaredColumns.position(of: column, in: table.names, normalised: normalised) != nil
        }
        return Int(column).map { $0 >= 1 && $0 <= table.count.upperBound } ?? false
    }

    /// What columns there are, for messages.
    static func seen(in tables: [Columns]) -> String {
        var names: [String] = []
        for name in tables.flatMap(\.names) where !name.isEmpty && !names.contains(name) { names.append(name) }
        let positions = tables.filter(\.names.isEmpty).map(\.count.upperBound).max()
        let parts = [names.isEmpty ? nil : shown(names), positions.map { "positions 1 to \($0)" }].compactMap(\.self)
        guard parts.isEmpty else { return parts.joined(separator: ", ") }
        return tables.isEmpty ? "none" : "none, the first line is empty"
    }

    /// Names of columns, for messages.
    static func shown(_ names: [String]) -> String {
        names.prefix(SourceReport.namesLimit).map { String($0.prefix(80)).printable }.joined(separator: ", ")
    }
}
