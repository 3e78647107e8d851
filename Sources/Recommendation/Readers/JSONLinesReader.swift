import Foundation

/// Reads files with one JSON object a line.
///
/// An object with user, item and rating is an interaction, and an item too when it has a title; one with item and title but
/// neither user nor rating is an item. Names are those of CSV headers.
struct JSONLinesReader {
    let items: [String]
    let ratings: [String]

    /// - Throws: `RecommendationError.missingFile`.
    init(path: String) throws {
        let isSingle = !SourceFiles.isFolder(path)
        guard !isSingle || SourceFiles.exists(path) else {
            throw RecommendationError.missingFile(path: path, wanted: "file")
        }
        let candidates = try SourceFiles.candidates(for: path, extensions: ["jsonl", "ndjson", "json"])
        // A file beside that cannot be read is none of ours.
        let first = candidates.map { (path: $0, row: try? Self.firstRow(of: $0)) }
        items = first.filter { $0.row.map { $0.user == nil && $0.title != nil } ?? false }.map(\.path)
        ratings = isSingle ? [path] : first.filter { $0.row?.user != nil && $0.row?.rating != nil }.map(\.path)
        guard !ratings.isEmpty else {
            throw RecommendationError.missingFile(path: path, wanted: "JSON lines with user, item and rating")
        }
    }

    func read(into collector: inout RowCollector) throws {
        for path in items { try read(path, isRatings: false, into: &collector) }
        for path in ratings { try read(path, isRatings: true, into: &collector) }
    }

    private func read(_ path: String, isRatings: Bool, into collector: inout RowCollector) throws {
        let lines = try LineReader(path: path)
        while let line = try lines.next() {
            if line.bytes.isEmpty, !line.isTooLong { continue }
            guard let row = Self.row(of: line.bytes) else {
                let reason = line.isTooLong ? "longer than \(LineReader.longestLine) bytes" : "not a JSON object"
                collector.refuse(reason, file: lines.name, line: line.number, isRating: isRatings)
                continue
            }
            if isRatings, row.user != nil || row.rating != nil || row.title == nil {
                try collector.takeRating(row, file: lines.name, line: line.number)
            } else {
                try collector.takeItem(row, file: lines.name, line: line.number)
            }
        }
    }

    /// Of the first line that is a JSON object, among the first hundred.
    private static func firstRow(of path: String) throws -> Row? {
        let lines = try LineReader(path: path)
        for _ in 0..<100 {
            guard let line = try lines.next() else { return nil }
            if let row = row(of: line.bytes) { return row }
        }
        return nil
    }

    private static func row(of bytes: ArraySlice<UInt8>) -> Row? {
        let data = Data(DelimitedText.text(bytes).utf8)
        guard let object = try? JSONDecoder().decode([String: Scalar].self, from: data) else { return nil }
        // Sorted, so that of two keys that mean the same always the same one counts.
        let keys = object.keys.sorted()
        let columns = Columns(header: keys)
        func text(_ column: Int?) -> String? { column.flatMap { object[keys[$0]]?.text } }
        return Row(
            user: text(columns.user), item: text(columns.item), rating: text(columns.rating),
            timestamp: text(columns.timestamp), title: text(columns.title), year: text(columns.year),
            author: text(columns.author))
    }

    /// A JSON value as text; nil for what is neither text nor number.
    private struct Scalar: Decodable {
        var text: String?

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let string = try? value.decode(String.self) {
                text = string
            } else if let integer = try? value.decode(Int64.self) {
                text = String(integer)
            } else if let number = try? value.decode(Double.self) {
                text = String(number)
            }
        }
    }
}
