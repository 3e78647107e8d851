import Foundation
import Messages
import Recommendation

/// Reads a history that a question brings along: `ITEM:RATING,…` or a file of such lines.
enum GivenHistory {
    private struct Line: Decodable {
        var item: String
        var rating: Double
        var timestamp: String?

        private enum Key: String, CodingKey, CaseIterable { case item, rating, timestamp }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            item =
                try (try? container.decode(String.self, forKey: .item))
                ?? String(container.decode(Int64.self, forKey: .item))
            rating = try container.decode(Double.self, forKey: .rating)
            timestamp =
                try container.contains(.timestamp)
                ? (try? container.decode(String.self, forKey: .timestamp))
                    ?? String(container.decode(Int64.self, forKey: .timestamp))
                : nil
        }
    }

    /// - Parameter text: ratings as `ITEM:RATING` or `ITEM:RATING:TIME`, with commas between them; or a file, `-` for standard
    ///   input, with one on each line, there also as a JSON object with `item`, `rating` and `timestamp`. Empty lines and those
    ///   that begin with # are left out. Empty text: nothing is known.
    /// - Throws: `CommandFailure` with the line.
    static func read(_ text: String) throws -> [GivenRating] {
        let ratings: [GivenRating]
        if text == "-" || FileManager.default.fileExists(atPath: text) {
            ratings = try file(text)
        } else {
            ratings = try text.split(separator: ",").map { part in
                guard let found = try rating(String(part)) else {
                    throw CommandFailure(
                        .badInput, "\(text.clipped) is neither a file nor a history: write ITEM:RATING,ITEM:RATING")
                }
                return found
            }
        }
        guard WireLimits.history.contains(ratings.count) else {
            throw CommandFailure(
                .badInput, "\(ratings.count) ratings are too many for one question: \(WireLimits.history.inWords)")
        }
        return ratings
    }

    private static func file(_ path: String) throws -> [GivenRating] {
        try SourceText.lines(of: path == "-" ? "/dev/stdin" : path).compactMap { line in
            let text = line.text.trimmingCharacters(in: .whitespaces)
            if text.isEmpty || text.hasPrefix("#") { return nil }
            do {
                guard let found = try text.hasPrefix("{") ? object(text) : rating(text) else {
                    throw CommandFailure(.badInput, "not ITEM:RATING, ITEM:RATING:TIME or a JSON object of these")
                }
                return found
            } catch {
                throw CommandFailure(.badInput, "\(path), line \(line.number): \(CommandFailure(error).message)")
            }
        }
    }

    private static func object(_ text: String) throws -> GivenRating? {
        guard let line = try? JSONDecoder().decode(Line.self, from: Data(text.utf8)) else { return nil }
        return try rating(item: line.item, line.rating, line.timestamp)
    }

    private static func rating(_ text: String) throws -> GivenRating? {
        let fields = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map {
            $0.trimmingCharacters(in: .whitespaces)
        }
        guard fields.count >= 2, let value = Double(fields[1]) else { return nil }
        return try rating(item: fields[0], value, fields.count == 3 ? fields[2] : nil)
    }

    private static func rating(item: String, _ rating: Double, _ time: String?) throws -> GivenRating {
        guard rating.isFinite else { throw CommandFailure(.badInput, "a rating must be a finite number") }
        let seconds = try time.map { time in
            guard let seconds = Timestamps.read(time)?.seconds else {
                throw CommandFailure(.badInput, "\(time.clipped) is no time: neither a number nor an ISO 8601 date")
            }
            return seconds
        }
        do {
            return GivenRating(item: try Identifier.canonical(item), rating: rating, timestamp: seconds)
        } catch {
            throw CommandFailure(.badInput, "\(item.clipped) names no item: \(error)")
        }
    }
}
