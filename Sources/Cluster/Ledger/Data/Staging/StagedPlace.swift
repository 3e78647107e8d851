import Files
import Foundation
import Messages

/// A batch's place: its file, and what its pieces are bound to.
struct StagedPlace: Sendable {
    static let suffix = ".batch"

    let path: String
    private let importID: String
    private let sequence: Int

    /// - `file`: how often the batch was written anew.
    init(folder: URL, importID: String, sequence: Int, file: Int = 0) {
        let name = Self.name(importID: importID, sequence: sequence, file: file)
        path = folder.appendingPathComponent(name).path
        self.importID = importID
        self.sequence = sequence
    }

    /// Names of an import's files begin with it. The id is any text that a client chose, and no part of a path.
    static func prefix(_ importID: String) -> String { "\(sha256(importID.utf8))-" }

    static func name(importID: String, sequence: Int, file: Int) -> String {
        "\(prefix(importID))\(sequence)\(file > 0 ? "-\(file)" : "")\(suffix)"
    }

    /// What a piece is sealed for. The id comes last: no text in it can make two of them the same.
    ///
    /// - Parameter mark: of the file's index.
    func context(_ part: StagedPart, piece: Int, mark: UInt64) -> String {
        context("\(part.rawValue) \(piece) of \(mark)")
    }

    var indexContext: String { context("index") }

    private func context(_ what: String) -> String { "staged batch \(sequence), \(what), import \(importID)" }

    func corrupt(_ reason: String) -> LedgerError {
        .corrupt(path: path, reason: "batch \(sequence) of an import: \(reason)")
    }

    /// Says where the fault is.
    func locating<Result>(_ work: () throws(StagedFault) -> Result) throws(LedgerError) -> Result {
        do throws(StagedFault) {
            return try work()
        } catch {
            throw corrupt(error.description)
        }
    }
}
