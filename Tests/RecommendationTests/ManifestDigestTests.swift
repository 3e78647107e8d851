import Crypto
import Foundation
import Recommendation
import Testing

@Suite("Digests of manifests")
struct ManifestDigestTests {
    private static func hash(_ text: String) -> String {
        SHA256.hash(data: Data(text.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Ids and digests are 64 digits, as prompts have them.
    private static func pairs(_ range: Range<Int>) -> [(id: String, digest: String)] {
        range.map { (hash("id \($0)"), hash("digest \($0)")) }
    }

    private static func digest(_ pairs: some Sequence<(id: String, digest: String)>) -> ManifestDigest {
        var digest = ManifestDigest()
        for pair in pairs { digest.add(ManifestDigest.Entry(id: pair.id, digest: pair.digest)) }
        return digest
    }

    @Test("Neither the order of additions nor what was there in between leaves a trace")
    func order() {
        var random = SeededGenerator(seed: 3)
        let pairs = Self.pairs(0..<40)
        let expected = Self.digest(pairs)
        for _ in 0..<5 {
            #expect(Self.digest(pairs.shuffled(using: &random)) == expected)
            var digest = expected
            let passing = Self.pairs(100..<120).map { ManifestDigest.Entry(id: $0.id, digest: $0.digest) }
            for entry in passing { digest.add(entry) }
            #expect(digest != expected && digest.hexadecimal != expected.hexadecimal)
            for entry in passing.shuffled(using: &random) { digest.remove(entry) }
            #expect(digest == expected && digest.hexadecimal == expected.hexadecimal)
        }
    }

    @Test("Removing is the inverse of adding, also first")
    func inverse() {
        let entries = Self.pairs(0..<3).map { ManifestDigest.Entry(id: $0.id, digest: $0.digest) }
        var digest = ManifestDigest()
        digest.remove(entries[0])
        digest.add(entries[1])
        digest.add(entries[0])
        digest.remove(entries[1])
        #expect(digest == ManifestDigest() && digest.bytes.allSatisfy { $0 == 0 })
    }

    @Test("Another id, another digest, an entry more, less or twice: another value")
    func distinct() {
        let pairs = Self.pairs(0..<8)
        let rest = Array(pairs.dropFirst(2))
        let (first, second) = (pairs[0], pairs[1])
        var sets = [pairs, rest, pairs + [pairs[3]], pairs + [pairs[3], pairs[3]], pairs + Self.pairs(8..<9), []]
        sets.append(rest + [first, (id: Self.hash("another"), digest: second.digest)])
        sets.append(rest + [first, (id: second.id, digest: Self.hash("another"))])
        // Who has which digest counts, and where an id ends.
        sets.append(rest + [(id: first.id, digest: second.digest), (id: second.id, digest: first.digest)])
        sets.append(rest + [(id: "ab", digest: "c")])
        sets.append(rest + [(id: "a", digest: "bc")])
        let values = sets.map { Self.digest($0).hexadecimal }
        #expect(Set(values).count == values.count)
    }

    @Test("2048 bytes carry the whole value; no other number of bytes is one")
    func bytes() throws {
        var digest = Self.digest(Self.pairs(0..<5))
        let bytes = digest.bytes
        #expect(bytes.count == 2048 && ManifestDigest.byteCount == 2048)
        var read = try #require(ManifestDigest(bytes: bytes))
        #expect(read == digest && read.bytes == bytes)
        #expect(ManifestDigest(bytes: Array(bytes)) == digest)
        #expect(ManifestDigest(bytes: (Data([9]) + bytes).dropFirst()) == digest)
        let entry = ManifestDigest.Entry(id: "a", digest: "b")
        digest.add(entry)
        read.add(entry)
        #expect(read == digest)
        for count in [0, 1, 2047, 2049, 4096] { #expect(ManifestDigest(bytes: Data(count: count)) == nil) }
    }

    @Test("A shard's manifest is called by the digest of its entries")
    func manifests() {
        let pairs = Self.pairs(0..<30)
        let entries = pairs.map { ShardManifest.Entry(id: $0.id, digest: $0.digest) }
        #expect(ShardManifest(entries: entries).digest == Self.digest(pairs).hexadecimal)
        #expect(ShardManifest(entries: entries.reversed()).digest == Self.digest(pairs).hexadecimal)
        #expect(ShardManifest(entries: []).digest == ManifestDigest().hexadecimal)
        #expect(ShardManifest(entries: entries + [entries[4]]).digest == Self.digest(pairs + [pairs[4]]).hexadecimal)
        // Shards of other prompts, some of them shared or none.
        let shards = [entries[..<15], entries[1..<16], entries[15...], entries[..<14]]
        #expect(Set(shards.map { ShardManifest(entries: Array($0)).digest }).count == shards.count)
    }

    @Test("The definition stays, and is what a few plain lines say")
    func reference() {
        #expect(ManifestDigest().hexadecimal == Self.hashOfNothing)
        let pairs = [("first", "1"), ("second", "2"), ("Grüße", ""), (Self.hash("id"), Self.hash("digest"))]
        #expect(Self.digest(pairs.map { (id: $0.0, digest: $0.1) }).bytes == PlainManifestDigest.bytes(pairs))
        let pinned = Self.digest([(id: "first", digest: "1"), (id: "second", digest: "2")])
        #expect(pinned.hexadecimal == "c8f5ea08a04a06b10f57716f46f96e5841b7d781ea2a4335b93b7c7ec2433640")
        #expect(Array(pinned.bytes.prefix(8)) == [0x45, 0x91, 0x3D, 0x7C, 0xFE, 0x91, 0xD4, 0xE6])
    }

    private static let hashOfNothing = "e5a00aa9991ac8a5ee3109844d84a55583bd20572ad3ffcd42792f3c36b183ad"
}

/// ChaCha20 after RFC 8439, section 2.3, and sums, number by number.
private enum PlainManifestDigest {
    static func bytes(_ entries: [(String, String)]) -> Data {
        var sums = [Int](repeating: 0, count: 1024)
        for (id, digest) in entries {
            var input = Data()
            for field in ["lethe manifest entry", id, digest] {
                let count = field.utf8.count
                input += (0..<8).map { UInt8(count >> (8 * $0) & 0xFF) } + Array(field.utf8)
            }
            let stream = (1...32).flatMap { block(UInt32($0), key: Array(SHA256.hash(data: input))) }
            for lane in sums.indices { sums[lane] += Int(stream[2 * lane]) + Int(stream[2 * lane + 1]) << 8 }
        }
        return Data(sums.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8 & 0xFF)] })
    }

    private static func block(_ counter: UInt32, key: [UInt8]) -> [UInt8] {
        let words = stride(from: 0, to: 32, by: 4).map { start in
            (0..<4).reduce(UInt32(0)) { $0 | UInt32(key[start + $1]) << UInt32(8 * $1) }
        }
        let initial = [0x6170_7865, 0x3320_646E, 0x7962_2D32, 0x6B20_6574] + words + [counter, 0, 0, 0]
        var state = initial
        func mix(_ sum: Int, _ term: Int, _ target: Int, _ distance: UInt32) {
            state[sum] &+= state[term]
            let mixed = state[target] ^ state[sum]
            state[target] = mixed << distance | mixed >> (32 - distance)
        }
        func quarter(_ a: Int, _ b: Int, _ c: Int, _ d: Int) {
            for (sum, term, target, distance) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
                mix(sum, term, target, UInt32(distance))
            }
        }
        for _ in 0..<10 {
            for column in 0..<4 { quarter(column, 4 + column, 8 + column, 12 + column) }
            for diagonal in 0..<4 {
                quarter(
                    diagonal, 4 + (diagonal + 1) % 4, 8 + (diagonal + 2) % 4, 12 + (diagonal + 3) % 4)
            }
        }
        return zip(state, initial).flatMap { mixed, start in
            (0..<4).map { UInt8((mixed &+ start) >> UInt32(8 * $0) & 0xFF) }
        }
    }
}
