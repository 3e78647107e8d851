import Foundation
import Messages
import Recommendation

/// How secrets show where they should not: in files, logs and texts.
package enum KeyTraces {
    /// The bytes as hexadecimal, base64 and a list of numbers, in pieces that are too long to be there by chance.
    package static func texts(of bytes: [UInt8]) -> [String] {
        let hexadecimal = bytes.map { String(format: "%02x", $0) }.joined()
        let list = bytes.prefix(6).map(String.init).joined(separator: ", ")
        return [
            String(hexadecimal.prefix(16)), String(hexadecimal.suffix(16)), hexadecimal.uppercased(), list,
            list.replacingOccurrences(of: " ", with: ""),
        ] + base64(of: bytes)
    }

    /// As a part of any longer text: base64 depends on where in its three bytes a text begins.
    package static func base64(of bytes: [UInt8]) -> [String] {
        (0..<3).map { offset in
            let whole = Data([UInt8](repeating: 0, count: offset) + bytes).base64EncodedString()
            let start = offset == 0 ? 0 : 4
            return String(whole.dropFirst(start).prefix((bytes.count - 3) / 3 * 4))
        }
    }

    /// What none of a worker's files may show of a prompt, in clear, in JSON or as base64.
    package static func needles(of prompt: TrainingPrompt) -> [Data] {
        let texts = [prompt.id, prompt.instruction, prompt.input, prompt.digest]
        return (texts + ["\"label\"", "\"input\"", "\"instruction\""]).flatMap { text in
            [Data(text.utf8)] + base64(of: Array(text.utf8)).map { Data($0.utf8) }
        } + [Data(prompt.input.utf8.prefix(20)), Data(prompt.input.utf8.suffix(20))]
    }

    package static func needles(of keys: ShardKeys) -> [Data] {
        ([keys.shard] + keys.people.map(\.key)).flatMap { key in
            [Data(key.prefix(8)), Data(key.suffix(8))] + texts(of: key).map { Data($0.utf8) }
        }
    }

    /// Files below the folder that show one of these, sorted. Files that go meanwhile are passed over.
    package static func files(below folder: String, show needles: [Data]) -> [String] {
        let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        return names.sorted().filter { name in
            guard let bytes = FileManager.default.contents(atPath: "\(folder)/\(name)") else { return false }
            return needles.contains { bytes.range(of: $0) != nil }
        }
    }
}
