import Foundation

/// Manifest entries that come to sets and leave them together, in as few bytes as they take: the entries' hashes while they
/// are few, their sum from then on. What was made of prompts once is added and removed without making them again.
package struct ManifestEntries: Equatable, Sendable {
    /// As many hashes as take the bytes of a sum.
    package static let mostHashes = ManifestDigest.byteCount / ManifestDigest.EntryHash.byteCount

    private enum Kept: Equatable {
        /// One after the other.
        case hashes([UInt8])
        case sum(ManifestDigest)
    }

    package let count: Int
    private let kept: Kept

    package init(_ entries: [ShardManifest.Entry]) {
        count = entries.count
        if entries.count <= Self.mostHashes {
            kept = .hashes(entries.flatMap { ManifestDigest.EntryHash(id: $0.id, digest: $0.digest).bytes })
        } else {
            kept = .sum(Self.sum(entries) { ManifestDigest.EntryHash(id: $0.id, digest: $0.digest) })
        }
    }

    /// nil: these are not the bytes of so many entries.
    package init?(bytes: [UInt8], count: Int) {
        guard bytes.count == Self.byteCount(ofEntries: count) else { return nil }
        self.count = count
        if count <= Self.mostHashes {
            kept = .hashes(bytes)
        } else {
            guard let sum = ManifestDigest(bytes: bytes) else { return nil }
            kept = .sum(sum)
        }
    }

    /// Of `bytes`; nil: there are no such entries.
    package static func byteCount(ofEntries count: Int) -> Int? {
        guard count >= 0 else { return nil }
        return count <= mostHashes ? count * ManifestDigest.EntryHash.byteCount : ManifestDigest.byteCount
    }

    package var bytes: [UInt8] {
        switch kept {
        case .hashes(let hashes): hashes
        case .sum(let sum): [UInt8](sum.bytes)
        }
    }

    /// Of these entries alone.
    package var digest: ManifestDigest {
        switch kept {
        case .sum(let sum): return sum
        case .hashes(let hashes):
            let starts = Array(stride(from: 0, to: hashes.count, by: ManifestDigest.EntryHash.byteCount))
            return Self.sum(starts) {
                ManifestDigest.EntryHash(bytes: hashes[$0..<$0 + ManifestDigest.EntryHash.byteCount])
            }
        }
    }

    private static func sum<Element: Sendable>(
        _ elements: [Element], _ hash: @Sendable (Element) -> ManifestDigest.EntryHash
    ) -> ManifestDigest {
        let parts = elements.concurrentlyByParts { elements in
            elements.reduce(into: ManifestDigest()) { $0.add(ManifestDigest.Entry(hash($1))) }
        }
        return parts.dropFirst().reduce(into: parts.first ?? ManifestDigest()) { $0.add($1) }
    }
}
