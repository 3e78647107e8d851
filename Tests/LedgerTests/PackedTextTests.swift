import ClusterTestSupport
import Foundation
import Testing

@testable import Ledger

@Suite("Packed texts")
struct PackedTextTests {
    /// What an entry of the audit log is like.
    private static let entry = Data(
        #"{"certificate":"bb8ef8a32da742a850c35e19c82b2caa","request":"dd44767f0e421a0ea39542ac925e8def"}"#.utf8)

    @Test("What comes out is what went in, byte for byte, and what does not get smaller is not packed")
    func roundTrip() throws {
        var numbers = SeededNumbers(3)
        #expect(PackedText.pack(Data()) == nil)
        for length in [1, 2, 60, 700, 5_000, 70_000, 300_000] {
            let noise = Data((0..<length).map { _ in UInt8.random(in: 0...255, using: &numbers) })
            #expect(PackedText.pack(noise) == nil)
            let words = ["\"request\":", "\n", "0", "\u{0}", "é", "{", "promptsDeleted", "a"]
            let text = Data((0..<length).map { _ in words.randomElement(using: &numbers) ?? "" }.joined().utf8)
            guard let packed = PackedText.pack(text) else {
                #expect(length < 60)
                continue
            }
            #expect(try packed.count < text.count && PackedText.unpack(packed) == text)
        }
        let packed = try #require(PackedText.pack(Self.entry))
        #expect(packed.count < Self.entry.count && packed.first == 1)
    }

    @Test("A packed text that was cut, changed, lengthened or never packed is an error")
    func damaged() throws {
        let packed = try #require(PackedText.pack(Self.entry))
        for length in 0..<packed.count {
            #expect(throws: PackedText.Failure.self) { try PackedText.unpack(packed.prefix(length)) }
        }
        for position in 0..<packed.count {
            for bit in 0..<8 {
                var changed = packed
                changed[position] ^= 1 << UInt8(bit)
                // A few bits of the stream's head say nothing of the text.
                if let text = try? PackedText.unpack(changed) { #expect(text == Self.entry) }
            }
        }
        #expect(throws: PackedText.Failure.damaged) { try PackedText.unpack(packed + [0]) }
        for number in [0, 2, 255] as [UInt8] {
            #expect(throws: PackedText.Failure.unknownDictionary) {
                try PackedText.unpack(Data([number]) + packed.dropFirst())
            }
        }
        var numbers = SeededNumbers(4)
        for _ in 0..<2_000 {
            let noise = (0..<Int.random(in: 0..<80, using: &numbers)).map { _ in
                UInt8.random(in: 0...255, using: &numbers)
            }
            #expect(throws: PackedText.Failure.self) { try PackedText.unpack(Data([1, 0x78, 0x9C] + noise)) }
        }
    }

    @Test("A short text expands to what the longest text has and no further; a longer one is not packed")
    func bounded() throws {
        let longest = try #require(PackedText.pack(Data(count: PackedText.longest)))
        #expect(longest.count < 100_000)
        #expect(try PackedText.unpack(longest).count == PackedText.longest)
        #expect(throws: PackedText.Failure.tooLong) { try PackedText.unpack(longest, limit: PackedText.longest - 1) }
        #expect(throws: PackedText.Failure.tooLong) { try PackedText.unpack(longest, limit: 100_000) }
        #expect(PackedText.pack(Data(count: PackedText.longest + 1)) == nil)
        #expect(throws: PackedText.Failure.tooLong) {
            try PackedText.unpack(Data([1]) + Data(count: PackedText.longest))
        }
    }

    @Test("The dictionary of a release is never changed, and lies in the database for whoever reads it without Lethe")
    func dictionary() throws {
        let first = PackingDictionary.first
        #expect(
            try LedgerFixture.contentName(first.bytes)
                == "042ee689e47a222e28f901ed5da7346de7d9f7ca8e5aa88498171cbf95dc25d5")
        #expect(first.number == 1 && first.text.utf8.elementsEqual(first.bytes))
        let ledger = try LedgerFixture().open()
        #expect(try ledger.inspect("SELECT text FROM packing_dictionaries WHERE number = 1") == [first.text])
        #expect(try ledger.inspect("SELECT number FROM packing_dictionaries") == ["1"])
    }
}
