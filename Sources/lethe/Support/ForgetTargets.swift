import Cluster
import Foundation

/// Collects what to forget from flags and files.
struct ForgetTargets {
    var users: [String] = []
    var interactions: [ClientRequest.ForgetRequest.Target] = []

    /// `U:I` or `U:I:T`.
    mutating func addInteraction(_ text: String) throws {
        let fields = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard (2...3).contains(fields.count), !fields[0].isEmpty, !fields[1].isEmpty else {
            throw CommandFailure(.usage, "\(text) names no interaction: write U:I or U:I:T")
        }
        var timestamp: Int64?
        if fields.count == 3 {
            guard let value = Int64(fields[2]) else {
                throw CommandFailure(.usage, "\(text): \(fields[2]) is no timestamp in whole seconds")
            }
            timestamp = value
        }
        interactions.append(.init(user: fields[0], item: fields[1], timestamp: timestamp))
    }

    private struct Line: Decodable {
        var user: String
        var item: String?
        var timestamp: Int64?
    }

    mutating func addFile(_ path: String) throws {
        guard let content = FileManager.default.contents(atPath: path) else {
            throw CommandFailure(.badInput, "cannot read \(path)")
        }
        guard let text = String(validating: content, as: UTF8.self) else {
            throw CommandFailure(.badInput, "\(path) is not UTF-8")
        }
        for (number, line) in text.split(whereSeparator: \.isNewline).enumerated() {
            let line = line.trimmingCharacters(in: .whitespaces)
            if line.isEmpty || line.hasPrefix("#") { continue }
            do {
                if line.hasPrefix("{") {
                    let target = try JSONDecoder().decode(Line.self, from: Data(line.utf8))
                    if let item = target.item {
                        interactions.append(.init(user: target.user, item: item, timestamp: target.timestamp))
                    } else {
                        users.append(target.user)
                    }
                } else if line.contains(":") {
                    try addInteraction(line)
                } else {
                    users.append(line)
                }
            } catch {
                // The whole file is refused: half a forget request is worse than none.
                throw CommandFailure(.badInput, "\(path), entry \(number + 1): \(CommandFailure(error).message)")
            }
        }
    }
}
