import ClusterTestSupport
import Foundation
import Messages
import Recommendation
import Testing

@testable import Ledger

@Suite("A person's record")
struct PersonCodingTests {
    private typealias Kept = Person.Kept

    private static let extremes: [Int64] = [.min, .min + 1, -1, 0, 1, 127, 128, 16_383, 16_384, .max - 1, .max]
    private static let ratings: [Double] = [
        0, -0.0, 0.5, 5, 99.5, 100, 100.5, 0.25, -1, 3.3, .infinity, -.infinity, .nan, .signalingNaN,
        .leastNonzeroMagnitude, .greatestFiniteMagnitude, Double(nan: 0x1234, signaling: false),
    ]
    private static let names = [
        "", "196", "u\u{0}", "é", "e\u{301}", "日本語", "👩‍👩‍👧", "\u{10FFFF}", String(repeating: "ß", count: 512),
    ]

    private static func number(_ random: inout SeededNumbers) -> Int64 {
        switch Int.random(in: 0..<3, using: &random) {
        case 0: extremes.randomElement(using: &random) ?? 0
        case 1: Int64.random(in: .min ... .max, using: &random)
        default: Int64.random(in: 0..<100_000, using: &random)
        }
    }

    private static func kept(_ random: inout SeededNumbers) -> Kept {
        let seen = (0..<(Bool.random(using: &random) ? 0 : Int.random(in: 0..<4, using: &random))).map { _ in
            Person.Seen(shard: Int(number(&random)), epoch: number(&random))
        }
        return Kept(
            item: number(&random), timestamp: number(&random), rating: ratings.randomElement(using: &random) ?? 0,
            ordinal: number(&random), split: ([nil] + Split.allCases).randomElement(using: &random) ?? nil,
            shard: Bool.random(using: &random) ? nil : Int(number(&random)), seen: seen,
            negatives: (0..<(Int.random(in: 0..<6, using: &random) / 3 * 2)).map { _ in number(&random) })
    }

    private static func person(_ seed: UInt64) -> Person {
        var random = SeededNumbers(seed)
        return Person(
            name: names.randomElement(using: &random) ?? "",
            appearance: Person.Appearance(import: number(&random), ordinal: number(&random)),
            slice: Bool.random(using: &random) ? nil : Int(number(&random)),
            interactions: (0..<Int.random(in: 0..<12, using: &random)).map { _ in kept(&random) })
    }

    /// As MovieLens has them: items of a small catalogue, sittings of minutes, an order of the file that tells nothing.
    private static func typical(_ count: Int) -> Person {
        var random = SeededNumbers(7)
        let times = (0..<count).map { _ in Int64.random(in: 875_747_190..<875_750_000, using: &random) }.sorted()
        return Person(
            name: "196", appearance: Person.Appearance(import: 1, ordinal: 7),
            interactions: times.map { time in
                Kept(
                    item: Int64.random(in: 1...1682, using: &random), timestamp: time,
                    rating: Double(Int.random(in: 1...5, using: &random)),
                    ordinal: Int64.random(in: 0..<100_000, using: &random))
            })
    }

    private func expectSame(_ read: Person, _ person: Person) {
        // Texts that look alike are equal, and NaN is not: names and ratings are compared by their bytes.
        #expect(Array(read.name.utf8) == Array(person.name.utf8))
        #expect(read.interactions.map(\.rating.bitPattern) == person.interactions.map(\.rating.bitPattern))
        var (left, right) = (read, person)
        for index in left.interactions.indices { left.interactions[index].rating = 0 }
        for index in right.interactions.indices { right.interactions[index].rating = 0 }
        #expect(left == right)
    }

    /// - Returns: whether the bytes are somebody's record; what else than `corrupt` is thrown fails the test.
    @discardableResult
    private func isAccepted(_ bytes: some Collection<UInt8>, name: String = "") -> Bool {
        do {
            let person = try Person(decoding: bytes)
            // What can be read can be written, if not always in the same bytes.
            #expect(throws: Never.self) { try Person(decoding: person.encoded) }
            return true
        } catch {
            guard case .corrupt("ledger.sqlite", let reason) = error else {
                Issue.record("\(error)")
                return false
            }
            #expect(reason.hasPrefix("a person's record ") && (name.isEmpty || !reason.contains(name)))
            return false
        }
    }

    @Test("What was written is read, to the bit")
    func roundTrips() throws {
        for seed in 0..<500 {
            let person = Self.person(UInt64(seed))
            expectSame(try Person(decoding: person.encoded), person)
        }
        let nobody = Person(
            name: "", appearance: Person.Appearance(import: 0, ordinal: 0), interactions: [])
        expectSame(try Person(decoding: nobody.encoded), nobody)
    }

    @Test("Neighbours may lie as far apart as numbers reach")
    func extremes() throws {
        var person = Self.typical(0)
        for first in Self.extremes {
            for second in Self.extremes {
                let ends = [(first, second), (second, first), (first, first)]
                person.interactions += ends.map { Kept(item: $0, timestamp: $0, rating: 1, ordinal: $1) }
            }
        }
        expectSame(try Person(decoding: person.encoded), person)
    }

    @Test("Every rating, split, shard and adapter that saw it survives beside every other")
    func parts() throws {
        var person = Self.typical(0)
        let far = [Person.Seen(shard: 0, epoch: .max), Person.Seen(shard: -1, epoch: .min)]
        let seen = [[], [Person.Seen(shard: 3, epoch: 9)], far]
        for rating in Self.ratings {
            for split in [nil] + Split.allCases {
                for shard in [nil, 0, 5, Int.max, Int.min] {
                    person.interactions += seen.map {
                        Kept(item: 1, timestamp: 2, rating: rating, ordinal: 3, split: split, shard: shard, seen: $0)
                    }
                }
            }
        }
        expectSame(try Person(decoding: person.encoded), person)
    }

    @Test("Bytes may lie in any collection")
    func collections() throws {
        let person = Self.typical(20)
        let framed = [1, 2] + person.encoded + [3]
        #expect(try Person(decoding: framed.dropFirst(2).dropLast()) == person)
        #expect(try Person(decoding: Data(framed)[2..<(framed.count - 1)]) == person)
    }

    @Test("A record that lacks its end, or goes on, is refused")
    func truncated() {
        for seed in 0..<60 {
            let bytes = Self.person(UInt64(seed)).encoded
            for length in bytes.indices { #expect(!isAccepted(bytes[..<length])) }
            for byte in [0, 1, 0xFF] as [UInt8] { #expect(!isAccepted(bytes + [byte])) }
        }
    }

    @Test("No bytes do harm")
    func hostile() {
        var random = SeededNumbers(11)
        for _ in 0..<20_000 {
            let length = Int.random(in: 0..<40, using: &random)
            var bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            if Bool.random(using: &random) { bytes = [1, 0, 1, 1, 0] + bytes }
            isAccepted(bytes)
        }
        for seed in 0..<2000 {
            var bytes = Self.person(UInt64(seed)).encoded
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let index = Int.random(in: bytes.indices, using: &random)
                bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
            isAccepted(bytes)
        }
    }

    @Test("No promised number takes memory that the bytes do not account for")
    func counts() {
        let endless = [UInt8](repeating: 0xFF, count: 9) + [1]
        let large = [UInt8](repeating: 0xFF, count: 8) + [0x7F]
        for count in [endless, large, [0xFF, 0xFF, 0xFF, 0xFF, 0x7F]] {
            #expect(!isAccepted([1] + count))
            #expect(!isAccepted([1, 0, 0, 0] + count))
            #expect(!isAccepted([1, 0, 0, 0, 1, 0xF0, 6, 1, 2, 2] + count))
        }
        #expect(isAccepted([1, 0, 0, 0, 1, 0xF0, 6, 1, 2, 2, 1, 0, 0]))
    }

    @Test("Numbers of more than 64 bits, unknown versions, parts and ratings, and names that are no text are refused")
    func unknown() {
        let number = [UInt8](repeating: 0x80, count: 9)
        #expect(isAccepted([1, 0] + number + [1, 0, 0]))
        #expect(!isAccepted([1, 0] + number + [2, 0, 0]))
        #expect(!isAccepted([1, 0] + number + [0x80, 0, 0, 0]))
        #expect(isAccepted([1, 0, 0, 0, 0]))
        #expect(!isAccepted([0, 0, 0, 0, 0]) && !isAccepted([2, 0, 0, 0, 0]))
        #expect(isAccepted([1, 0, 0, 0, 1, 0xC8, 1, 2, 2]))
        for first in 0xC9...0xDF as ClosedRange<UInt8> { #expect(!isAccepted([1, 0, 0, 0, 1, first, 1, 2, 2, 0])) }
        #expect(!isAccepted([1, 0, 0, 0, 1, 0xE8, 0xC9, 1, 2, 2, 0]))
        #expect(!isAccepted([1, 1, 0xFF, 0, 0, 0]) && !isAccepted([1, 2, 0xC0, 0x80, 0, 0, 0]))
    }

    @Test("A refusal does not repeat what the record says")
    func discretion() {
        var person = Self.typical(3)
        person.name = "somebody@example.org"
        let bytes = person.encoded
        for length in bytes.indices { isAccepted(bytes[..<length], name: person.name) }
        for index in bytes.indices {
            var bytes = bytes
            bytes[index] ^= 0xFF
            isAccepted(bytes, name: person.name)
        }
    }

    @Test("A usual interaction takes at most ten bytes")
    func size() {
        let count = 400
        // Two for the item, three for the place in the file, one or two for the time, one for the rating.
        #expect(Self.typical(count).encoded.count <= 10 * count)
    }

    @Test("Negatives are written behind the interactions, and only records that have some are of version 3")
    func negatives() throws {
        var person = Person(
            name: "ü", appearance: Person.Appearance(import: 1, ordinal: 0),
            interactions: (0..<4).map { Kept(item: 7 + $0, timestamp: 0, rating: 1, ordinal: 0) })
        let plain = person.encoded
        #expect(plain.first == 1)
        person.interactions[1].negatives = [300, 2]
        person.interactions[3].negatives = [7]
        let bytes = person.encoded
        let head: [UInt8] = [3] + Array(plain[1...5])
        let rest: [UInt8] = Array(plain[6...]) + [2, 1, 2, 0xAC, 2, 2, 1, 1, 7]
        let expected: [UInt8] = head + [0] + rest
        #expect(bytes == expected)
        expectSame(try Person(decoding: bytes), person)
        person.slice = 4
        let withSlice: [UInt8] = head + [1, 4] + rest
        #expect(person.encoded == withSlice)
        expectSame(try Person(decoding: person.encoded), person)
        // Of an interaction behind the last; more than there are bytes for.
        let endless = [UInt8](repeating: 0xFF, count: 9) + [1]
        let wrong: [[UInt8]] = [[2, 1, 7], [1, 100, 7], endless + [1, 7]]
        for end in wrong {
            let changed: [UInt8] = Array(bytes.dropLast(3)) + end
            #expect(!isAccepted(changed), "\(end)")
        }
    }

    @Test("The layout of version 1 stays")
    func pinned() {
        let person = Person(
            name: "ü", appearance: Person.Appearance(import: 1, ordinal: 300),
            interactions: [
                Kept(item: 242, timestamp: 1000, rating: 3, ordinal: 5),
                Kept(
                    item: 1, timestamp: 999, rating: 0.1, ordinal: 6, split: .test, shard: 4,
                    seen: [Person.Seen(shard: 1, epoch: 2)]),
                Kept(item: 1, timestamp: 999, rating: 4.5, ordinal: 6, split: .train),
            ])
        #expect(
            person.encoded == [
                1, 2, 0xC3, 0xBC, 1, 0xAC, 2, 3,
                6, 0xF2, 1, 0xD0, 0x0F, 10,
                0xFF, 0x9A, 0x99, 0x99, 0x99, 0x99, 0x99, 0xB9, 0x3F, 1, 1, 2, 4, 1, 1, 2,
                0xE2, 9, 1, 0, 0,
            ])
    }
}
