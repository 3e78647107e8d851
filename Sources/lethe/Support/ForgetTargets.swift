import Foundation
import Messages
import Recommendation

/// Collects what to forget from flags and files.
struct ForgetTargets {
    /// Of times that are numbers, as the import was told; nil: by their magnitude.
    var unit: Timestamps.Form?
    var users: [String] = []
    var interactions: [ClientRequest.ForgetRequest.Target] = []

    mutating func addUser(_ text: String) throws {
        users.append(try Self.identifier(text, of: "user"))
    }

    /// `U:I` or `U:I:T`.
    mutating func addInteraction(_ text: String) throws {
        let fields = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard (2...3).contains(fields.count), !fields[0].isEmpty, !fields[1].isEmpty else {
            throw CommandFailure(.usage, "\(text) names no interaction: write U:I or U:I:T")
        }
        try add(user: fields[0], item: fields[1], timestamp: fields.count == 3 ? fields[2] : nil)
    }

    private mutating func add(user: String, item: String, timestamp: String?) throws {
        let seconds = try timestamp.map { text in
            guard let seconds = Timestamps.read(text.trimmingCharacters(in: .whitespaces), unit: unit)?.seconds else {
                throw CommandFailure(.usage, "\(text) is no timestamp: neither a number nor an ISO 8601 date")
            }
            return seconds
        }
        interactions.append(
            .init(
                user: try Self.identifier(user, of: "user"), item: try Self.identifier(item, of: "item"),
                timestamp: seconds))
    }

    /// The file may be what an import may be: UTF-8 or UTF-16 with a byte order mark, with any line ends, or a pipe.
    mutating func addFile(_ path: String) throws {
        for line in try SourceText.lines(of: path) {
            do {
                try addLine(line.text.trimmingCharacters(in: .whitespaces))
            } catch {
                // The whole file is refused: half a forget request is worse than none.
                throw CommandFailure(.badInput, "\(path), line \(line.number): \(CommandFailure(error).message)")
            }
        }
    }

    private mutating func addLine(_ line: String) throws {
        if line.isEmpty || line.hasPrefix("#") { return }
        if line.hasPrefix("{") {
            guard let target = try SourceText.target(json: line) else {
                throw CommandFailure(.badInput, "not a JSON object that has each key once")
            }
            if let item = target.item {
                try add(user: target.user, item: item, timestamp: target.timestamp)
            } else {
                guard target.timestamp == nil else {
                    throw CommandFailure(.badInput, "a time without an item: write the item too, or the user alone")
                }
                try addUser(target.user)
            }
        } else if line.contains(":") {
            try addInteraction(line)
        } else {
            try addUser(line)
        }
    }

    private static func identifier(_ text: String, of what: String) throws -> String {
        do {
            return try Identifier.canonical(text)
        } catch {
            throw CommandFailure(.badInput, "this names no \(what): \(error)")
        }
    }
}
