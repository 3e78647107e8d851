import Foundation
import Recommendation

/// Identifiers that a file has one a line; empty lines and those that begin with `#` are left out.
enum NamedLines {
    /// - `path`: what an import may be; `-`: standard input.
    /// - `what`: what the identifiers name, for people.
    /// - Throws: `CommandFailure` with the line, `RecommendationError` for what cannot be read.
    static func read(_ path: String, of what: String) throws -> [String] {
        try SourceText.lines(of: path == "-" ? "/dev/stdin" : path).compactMap { line in
            let text = line.text.trimmingCharacters(in: .whitespaces)
            if text.isEmpty || text.hasPrefix("#") { return nil }
            do {
                return try Identifier.canonical(text)
            } catch {
                throw CommandFailure(.badInput, "\(path), line \(line.number): this names no \(what): \(error)")
            }
        }
    }
}
