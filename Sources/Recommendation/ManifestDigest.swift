import Crypto
import CryptoExtras
import Files
import Foundation

/// A digest of a set of manifest entries to which one is added, and from which one is removed, at the cost of that entry
/// alone, however large the set is.
///
/// LtHash: every entry is expanded into 1024 numbers of 16 bits, and the set's digest is the sum of its entries' numbers,
/// each modulo 2^16. Whoever finds two sets of one digest solves a short integer problem in a lattice, in work of 2^200 or
/// more (M. Bellare and D. Micciancio, "A New Paradigm for Collision-Free Hashing: Incrementality at Reduced Cost",
/// EUROCRYPT 1997; K. Lewi et al., "Securing Update Propagation with Homomorphic Hashing", IACR 2019/227). What lies in a
/// set twice counts twice; 2^16 times is as good as never, so nobody may choose how often an entry is there: a manifest
/// names a prompt once.
///
/// The sum is no hash that hides: one of a set less one of a part of it is that of the rest, and a few hundred guessed entries
/// are told apart by linear algebra. What is shown is `hexadecimal`; `bytes` are kept like the entries themselves.
public struct ManifestDigest: Equatable, Sendable {
    static let laneCount = 1024
    public static let byteCount = 2 * laneCount

    private var lanes: [UInt16]

    /// Of no entry.
    public init() { lanes = [UInt16](repeating: 0, count: Self.laneCount) }

    /// nil: not 2048 bytes.
    public init?(bytes: some DataProtocol) {
        guard bytes.count == Self.byteCount else { return nil }
        lanes = [UInt8](bytes).withUnsafeBytes { Self.lanes(ofLittleEndian: $0) }
    }

    /// The numbers one after the other, each with its less significant byte first; 2048.
    public var bytes: Data { lanes.map { $0.littleEndian }.withUnsafeBufferPointer { Data(buffer: $0) } }

    /// SHA-256 of `bytes`, in hexadecimal: what a manifest is called by.
    public var hexadecimal: String { sha256(bytes) }

    public mutating func add(_ entry: Entry) { combine(entry.lanes, &+) }

    public mutating func add(_ other: ManifestDigest) { combine(other.lanes, &+) }
    public mutating func remove(_ other: ManifestDigest) { combine(other.lanes, &-) }

    /// What was not added may be removed; the digest is that of no set until it is added.
    public mutating func remove(_ entry: Entry) { combine(entry.lanes, &-) }

    @inline(__always)
    private mutating func combine(_ others: [UInt16], _ operation: (UInt16, UInt16) -> UInt16) {
        lanes.withUnsafeMutableBufferPointer { sums in
            others.withUnsafeBufferPointer { terms in
                for index in 0..<min(sums.count, terms.count) { sums[index] = operation(sums[index], terms[index]) }
            }
        }
    }

    fileprivate static func lanes(ofLittleEndian bytes: UnsafeRawBufferPointer) -> [UInt16] {
        [UInt16](unsafeUninitializedCapacity: bytes.count / 2) { lanes, count in
            count = bytes.count / 2
            for index in 0..<count {
                let lane = bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
                lanes.initializeElement(at: index, to: UInt16(littleEndian: lane))
            }
        }
    }
}

extension ManifestDigest {
    /// What an entry's numbers are made of.
    package struct EntryHash: Equatable, Sendable {
        package static let byteCount = 32

        /// 32.
        package let bytes: [UInt8]

        /// - Parameters:
        ///   - id: `TrainingPrompt.id`
        ///   - digest: `TrainingPrompt.digest`
        package init(id: String, digest: String) {
            bytes = FieldHash.digest(["lethe manifest entry", id, digest]).withUnsafeBytes { [UInt8]($0) }
        }

        /// Bytes that were one's before.
        init(bytes: ArraySlice<UInt8>) { self.bytes = Array(bytes) }
    }

    /// One entry's numbers: computed once, added to and removed from as many sets as it belongs to.
    public struct Entry: Equatable, Sendable {
        fileprivate let lanes: [UInt16]

        /// - Parameters:
        ///   - id: `TrainingPrompt.id`
        ///   - digest: `TrainingPrompt.digest`
        public init(id: String, digest: String) { self.init(EntryHash(id: id, digest: digest)) }

        package init(_ hash: EntryHash) {
            lanes = Self.expansion(of: hash).withUnsafeBytes { ManifestDigest.lanes(ofLittleEndian: $0) }
        }

        /// The key stream of ChaCha20 (RFC 8439: nonce 0, from block 1) under the entry's field hash.
        ///
        /// The sum's security rests on numbers that look drawn at random for each entry. A stream cipher's output is what
        /// nobody tells from that, as long as a key meets a nonce once; each entry has a key of its own, and uses it for this.
        private static func expansion(of hash: EntryHash) -> Data {
            let key = SymmetricKey(data: hash.bytes)
            guard let nonce, let firstBlock,
                let bytes = try? Insecure.ChaCha20CTR.encrypt(zeros, using: key, counter: firstBlock, nonce: nonce)
            else { preconditionFailure("ChaCha20 takes every key of 32 bytes") }
            return bytes
        }

        private static let zeros = [UInt8](repeating: 0, count: byteCount)
        private static let nonce = try? Insecure.ChaCha20CTR.Nonce(data: [UInt8](repeating: 0, count: 12))
        private static let firstBlock = try? Insecure.ChaCha20CTR.Counter(offset: 1)
    }
}
