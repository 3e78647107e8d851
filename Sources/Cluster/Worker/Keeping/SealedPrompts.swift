import Crypto
import Files
import Foundation
import Messages
import Recommendation

/// `prompts.sealed`: what a shard holds, in one box for each person. Without keys it says how much that is and of which
/// manifest, so that a worker can greet before it was given any; whoever has the keys believes the boxes only.
///
///     header      JSON, and a line feed
///     UInt64      name of a person's key, little-endian; ascending
///     UInt64      bytes of the box
///     box         the person's prompts as JSON (`TrainingPromptList`); and so on for each person
enum SealedPrompts {
    static let name = "prompts.sealed"
    private static let format = "lethe-sealed-shard-1"

    struct Header: Codable, Equatable {
        var format = SealedPrompts.format
        var manifest: String
        var prompts: Int
        var people: Int
    }

    struct Box {
        var person: UInt64
        var bytes: ArraySlice<UInt8>
    }

    /// The file's header and boxes; nil where it is no such file as a whole. Nothing in it is believed yet.
    static func parse(_ file: [UInt8]) -> (header: Header, boxes: [Box])? {
        guard let end = file.firstIndex(of: UInt8(ascii: "\n")),
            let header = try? WireJSON.decode(Header.self, from: file[..<end], kind: name),
            header.format == format, (0...WireLimits.promptsOfAShard).contains(header.prompts),
            (0...header.prompts).contains(header.people), [UInt8](hexadecimal: header.manifest)?.count == 32
        else { return nil }
        var boxes: [Box] = []
        var position = end + 1
        func number() -> UInt64? {
            guard file.count - position >= 8 else { return nil }
            defer { position += 8 }
            return UInt64(
                littleEndian: file.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: position, as: UInt64.self) })
        }
        while position < file.count {
            guard let person = number(), boxes.last.map({ $0.person < person }) ?? true,
                let length = number().flatMap({ Int(exactly: $0) }), length <= file.count - position
            else { return nil }
            boxes.append(Box(person: person, bytes: file[position..<(position + length)]))
            position += length
        }
        return boxes.count == header.people ? (header, boxes) : nil
    }

    /// What opens with the keys. `isExact`: that is everything in the file, and its header says so.
    static func open(_ file: [UInt8]?, shard: Int, _ secrets: ShardSecrets) -> (contents: ShardContents, isExact: Bool)
    {
        guard let file, let (header, boxes) = parse(file) else { return (.empty, false) }
        var owned: [OwnedPrompt] = []
        var isExact = true
        for box in boxes {
            guard let key = secrets.people[box.person],
                let bytes = try? SealedBytes.open(
                    box.bytes, key: key, context: SealContext.prompts(shard: shard, person: box.person)),
                let prompts = try? WireJSON.decode(TrainingPromptList.self, from: bytes, kind: name).prompts,
                !prompts.isEmpty
            else {
                isExact = false
                continue
            }
            owned += prompts.map { OwnedPrompt(prompt: $0, digest: $0.digest, person: box.person) }
        }
        let contents = ShardContents(owned)
        return (contents, isExact && header.manifest == contents.digest && header.prompts == owned.count)
    }

    /// Replaces the file.
    ///
    /// - Throws: with the code `disk-full` or `storage`; then the file is as it was.
    static func write(
        _ contents: ShardContents, to path: String, shard: Int, _ secrets: ShardSecrets
    ) throws(TaskFailure) {
        var people: [UInt64: [TrainingPrompt]] = [:]
        for (prompt, person) in zip(contents.prompts, contents.people) { people[person, default: []].append(prompt) }
        let header = Header(manifest: contents.digest, prompts: contents.prompts.count, people: people.count)
        try KeptFile.write(to: path) { put throws(FileFailure) in
            try put(try sealing(path) { Data(try WireJSON.encode(header, kind: name)) + [UInt8(ascii: "\n")] })
            for person in people.keys.sorted() {
                try put(
                    try sealing(path) {
                        guard let key = secrets.people[person] else { throw SealedBytes.Failure.notOpened }
                        let box = try SealedBytes.seal(
                            try WireJSON.encode(TrainingPromptList(people[person] ?? []), kind: name), key: key,
                            context: SealContext.prompts(shard: shard, person: person))
                        return bytes(of: person) + bytes(of: UInt64(box.count)) + box
                    })
            }
        }
    }

    private static func sealing(_ path: String, _ work: () throws -> Data) throws(FileFailure) -> Data {
        do {
            return try work()
        } catch {
            throw FileFailure("cannot seal", path, code: EINVAL)
        }
    }

    private static func bytes(of number: UInt64) -> Data { withUnsafeBytes(of: number.littleEndian) { Data($0) } }
}
