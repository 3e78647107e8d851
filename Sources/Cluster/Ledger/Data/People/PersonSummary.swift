import Messages
import Recommendation

/// What a person's prompts are in the counts and digests of shards and splits: whoever takes the whole person out of them
/// makes no prompt.
///
/// A function of the record and of what its prompts are made with, written whenever either changes.
struct PersonSummary: Equatable {
    /// Where prompts are counted alike.
    struct Place: Hashable {
        var split: Split
        /// nil: no training prompt, or not dealt out yet.
        var shard: Int?
        var isReference: Bool
    }

    struct Part: Equatable {
        var place: Place
        var likes: Int
        var entries: ManifestEntries

        var prompts: Int { entries.count }
    }

    /// Of different places, in their order.
    let parts: [Part]

    init(of prompts: [StoredPrompt]) {
        let grouped = Dictionary(grouping: prompts) {
            Place(split: $0.prompt.split, shard: $0.shard, isReference: $0.isReference)
        }
        parts = grouped.sorted { $0.key.order < $1.key.order }.map { place, prompts in
            Part(
                place: place, likes: prompts.count(where: \.prompt.label),
                entries: ManifestEntries(prompts.map { ShardManifest.Entry(id: $0.id, digest: $0.digest) }))
        }
    }

    /// Training prompts of every shard.
    var members: [Int: Int] {
        parts.reduce(into: [:]) { counts, part in
            if let shard = part.place.shard { counts[shard, default: 0] += part.prompts }
        }
    }
}

extension PersonSummary.Place {
    fileprivate var order: (Int, Int, Int) {
        (Split.allCases.firstIndex(of: split) ?? 0, shard ?? -1, isReference ? 1 : 0)
    }
}

/// Below the seal, after the version of this layout (1) and the number of parts, of each part: one byte (the split's place
/// among all of them, 4 for reference prompts, 8 where a shard follows), the shard, the numbers of prompts and of likes, the
/// entries' bytes. Numbers are varints.
extension PersonSummary {
    private static let version: UInt8 = 1
    private static let reference: UInt8 = 4
    private static let shard: UInt8 = 8

    var encoded: [UInt8] {
        var writer = RecordWriter(capacity: 16 + parts.reduce(0) { $0 + 16 + $1.entries.bytes.count })
        writer.byte(Self.version)
        writer.varint(parts.count)
        for part in parts {
            var mark = UInt8(truncatingIfNeeded: Split.allCases.firstIndex(of: part.place.split) ?? 0)
            if part.place.isReference { mark |= Self.reference }
            if part.place.shard != nil { mark |= Self.shard }
            writer.byte(mark)
            if let shard = part.place.shard { writer.varint(shard) }
            writer.varint(part.prompts)
            writer.varint(part.likes)
            writer.raw(part.entries.bytes)
        }
        return writer.bytes
    }

    /// - Throws: `LedgerError.corrupt`
    init(decoding bytes: some Collection<UInt8>) throws(LedgerError) {
        var reader = RecordReader(Array(bytes))
        guard try reader.byte() == Self.version else {
            throw .record("is counted in a way that this release does not know")
        }
        let count = try reader.count(ofAtLeast: 3)
        var parts: [Part] = []
        parts.reserveCapacity(count)
        for _ in 0..<count { parts.append(try Part(from: &reader)) }
        try reader.expectEnd()
        self.parts = parts
    }
}

extension PersonSummary.Part {
    fileprivate init(from reader: inout RecordReader) throws(LedgerError) {
        let mark = try reader.byte()
        let split = Int(mark & 3)
        guard mark < 16, split < Split.allCases.count else { throw .record("counts prompts of no known kind") }
        let shard = mark & 8 == 0 ? nil : try reader.number()
        let (prompts, likes) = (try reader.number(), try reader.number())
        guard let size = ManifestEntries.byteCount(ofEntries: prompts), (0...prompts).contains(likes),
            let entries = ManifestEntries(bytes: try reader.raw(size), count: prompts)
        else { throw .record("counts prompts that cannot be") }
        self.init(
            place: PersonSummary.Place(split: Split.allCases[split], shard: shard, isReference: mark & 4 != 0),
            likes: likes, entries: entries)
    }
}
