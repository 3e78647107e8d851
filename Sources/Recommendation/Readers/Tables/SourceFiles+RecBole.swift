import Files
import Foundation

/// `NAME.inter`, or `NAME.part1.inter`, `NAME.part2.inter`, … (as RecBole's benchmarks have them), and `NAME.item`.
extension SourceFiles {
    static func recbole(_ inputs: InputPaths) throws -> SourceFiles {
        var ratings: [Table] = []
        var items: [Table] = []
        try inputs.refuseStandardInput(of: "recbole")
        for path in inputs.paths {
            let (parts, item) = try recboleFiles(path, inputs)
            for file in parts where !ratings.contains(where: { $0.file == file }) {
                let table = try tabbed(file, inputs.rules, kind: .ratings)
                try requireRatings(table, inputs.rules)
                ratings.append(table)
            }
            if !items.contains(where: { $0.file == item }) {
                let table = try tabbed(item, inputs.rules, kind: .items)
                for meaning in [(ColumnMeaning.item, table.columns.item), (.title, table.columns.title)]
                where meaning.1 == nil {
                    throw missingColumn(table, meaning.0, inputs.rules)
                }
                items.append(table)
            }
        }
        try inputs.requireDeclared(
            ratings: ratings.map(\.columns), items: items.map(\.columns), fieldsAreOfItems: true)
        return SourceFiles(items: items, ratings: ratings)
    }

    /// Of ratings the titles of `.inter` are nobody's: they stand in `.item`.
    private static func tabbed(_ file: SourceFile, _ rules: ReadingRules, kind: Columns.Kind) throws -> Table {
        var table = try headed(file, rules, separation: .sparing(UInt8(ascii: "\t")), kind: kind)
        if kind == .ratings {
            (table.columns.title, table.columns.doubtfulTitle) = (nil, nil)
            table.columns.fields = []
        }
        return table
    }

    private static func recboleFiles(
        _ path: String, _ inputs: InputPaths
    ) throws -> (parts: [SourceFile], item: SourceFile) {
        let parts = try recboleParts(path, inputs)
        guard let first = parts.first else {
            throw RecommendationError.missingFile(path: path, wanted: "file \(path).inter")
        }
        let stem = Self.stem(of: first.path)
        // Of a part the titles stand beside the whole.
        let wanted = [stem, (stem as NSString).deletingPathExtension].flatMap { Self.packedOrNot($0 + ".item") }
        guard let item = wanted.map(inputs.file).first(where: \.exists) else {
            throw RecommendationError.missingTitles(path: path, wanted: "file \(wanted[0])")
        }
        return (parts, item)
    }

    private static func recboleParts(_ path: String, _ inputs: InputPaths) throws -> [SourceFile] {
        if SourceFile.isFolder(path) {
            let found = try inputs.files(in: path, endings: ["inter"])
            let stems = found.map { Self.stem(of: $0.path) }
            let named = (path as NSString).appendingPathComponent(path.lastPathComponent)
            if let whole = stems.firstIndex(of: named) ?? (found.count == 1 ? 0 : nil) { return [found[whole]] }
            let wholes = stems.map { ($0 as NSString).deletingPathExtension }
            guard let whole = wholes.first, wholes.allSatisfy({ $0 == whole }), !stems.contains(whole) else {
                throw RecommendationError.missingFile(
                    path: path, wanted: found.isEmpty ? "file NAME.inter" : "single .inter file; name one of them")
            }
            return found
        }
        let stem = Self.stem(of: path)
        let whole = Self.packedOrNot(stem + ".inter", first: path).map(inputs.file).first(where: \.exists)
        if let whole { return [whole] }
        return try inputs.files(in: FilePath.folder(of: path), endings: ["inter"]).filter {
            (Self.stem(of: $0.path) as NSString).deletingPathExtension.lastPathComponent == stem.lastPathComponent
        }
    }

    /// Without the endings of the format.
    private static func stem(of path: String) -> String {
        let packing = FilePacking.endings.first(where: path.hasSuffix)
        let bare = String(path.dropLast(packing?.count ?? 0))
        for ending in [".inter", ".item"] where bare.hasSuffix(ending) { return String(bare.dropLast(ending.count)) }
        return path
    }
}
