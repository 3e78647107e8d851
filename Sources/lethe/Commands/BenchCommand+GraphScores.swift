import Experiments
import Foundation
import Recommendation

extension BenchCommand.Graph {
    private struct Line: Encodable {
        var margin: Float?
        var schemaVersion = Output.schemaVersion

        /// `null` is an answer too.
        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(margin, forKey: .margin)
            try container.encode(schemaVersion, forKey: .schemaVersion)
        }

        private enum CodingKeys: String, CodingKey {
            case margin
            case schemaVersion
        }
    }

    /// Answers for the pairs of a file, with a model that was trained on all of the data.
    func printScores(of path: String, _ data: GraphData?, _ settings: GraphExperiment.Settings) throws {
        guard let data else { throw CommandFailure(.usage, "--score goes with --format and PATH") }
        guard seeds == 1 else { throw CommandFailure(.usage, "--score goes with one seed") }
        let pairs = try pairs(path)
        let scores = try GraphScores(
            data, model: settings.model, regularisation: settings.regularisation, seed: 1, threads: settings.threads)
        let encoder = JSONEncoder.printed
        for margin in scores.margins(of: pairs) {
            try Output.write(String(decoding: encoder.encode(Line(margin: margin)), as: UTF8.self) + "\n")
        }
    }

    private func pairs(_ path: String) throws -> [(user: String, item: String)] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw CommandFailure(.badInput, "\(path) cannot be read, or is not UTF-8")
        }
        var lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        if lines.last?.isEmpty == true { lines.removeLast() }
        // As the data's own are read.
        func name(_ field: Substring) -> String { (try? Identifier.canonical(String(field))) ?? String(field) }
        return try lines.enumerated().map { index, line in
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
            guard fields.count == 2, !fields[0].isEmpty, !fields[1].isEmpty else {
                throw CommandFailure(.badInput, "\(path): line \(index + 1) is not a user, a tabulator and an item")
            }
            return (name(fields[0]), name(fields[1]))
        }
    }
}
