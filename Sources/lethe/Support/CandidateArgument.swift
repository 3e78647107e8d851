import ArgumentParser
import Messages

/// What `--candidates` says.
enum CandidateArgument: Equatable {
    /// A file that names them; `-`: standard input.
    case file(String)
    /// So many are chosen of the catalogue.
    case chosen(Int)
    /// The whole catalogue.
    case all

    /// A number and `all` are no files: one that is called so is named with its folder, as in `./200`.
    ///
    /// - Throws: `ValidationError` for a number out of its bounds.
    init(_ text: String) throws {
        if text == "all" {
            self = .all
        } else if !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            guard let count = Int(text), WireLimits.chosen.contains(count) else {
                throw ValidationError("--candidates must be \(WireLimits.chosen.inWords), not \(text.prefix(20))")
            }
            self = .chosen(count)
        } else {
            self = .file(text)
        }
    }

    var file: String? { if case .file(let path) = self { path } else { nil } }
}
