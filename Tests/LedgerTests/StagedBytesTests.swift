import ClusterTestSupport
import Foundation
import Testing

@testable import Ledger

@Suite("Staged imports: bytes")
struct StagedBytesTests {
    @Test("Numbers of every length come back")
    func numbers() throws {
        let numbers: [UInt64] = [0, 1, 127, 128, 16_383, 16_384, .max, .max - 1] + (0..<64).map { 1 << UInt64($0) }
        var writer = StagedBytesWriter()
        for number in numbers {
            writer.put(number: number)
            writer.put(signed: Int64(bitPattern: number))
            writer.put(bits: number)
            writer.put(lookup: PersonLookup(high: number, low: ~number))
        }
        var reader = StagedBytesReader(writer.bytes)
        for number in numbers {
            #expect(try reader.number() == number)
            #expect(try reader.signed() == Int64(bitPattern: number))
            #expect(try reader.bits() == number)
            #expect(try reader.lookup() == PersonLookup(high: number, low: ~number))
        }
        try reader.requireEnd()
    }

    @Test("A look-up lies there as its bytes")
    func lookup() {
        let lookup = StagedFixture.lookup("somebody")
        var writer = StagedBytesWriter()
        writer.put(lookup: lookup)
        #expect(writer.bytes == Array(lookup.bytes))
    }

    @Test("Numbers that are too large, counts of more than is there and texts that are none are refused")
    func refusals() {
        func fault<Result>(
            _ bytes: [UInt8], _ work: (inout StagedBytesReader) throws -> Result
        ) -> StagedFault? {
            var reader = StagedBytesReader(bytes)
            return #expect(throws: StagedFault.self) { try work(&reader) }
        }
        let nine = [UInt8](repeating: 0xff, count: 9)
        #expect(fault(nine + [2]) { try $0.number() } == .badNumber)
        #expect(fault(nine + [0x80, 0]) { try $0.number() } == .badNumber)
        #expect(fault(nine) { try $0.number() } == .endsEarly)
        #expect(fault(nine + [1]) { try $0.count() } == .endsEarly)
        #expect(fault([4, 1, 2, 3]) { try $0.block() } == .endsEarly)
        #expect(fault([3, 1, 2, 3]) { try $0.count(ofBytes: 2) } == .endsEarly)
        #expect(fault([2, 0xc3, 0x28]) { try $0.text() } == .badText)
        #expect(fault([1, 2, 3, 4, 5, 6, 7]) { try $0.bits() } == .endsEarly)
        #expect(fault([201]) { try StagedRating.read(from: &$0) } == .badNumber)
    }

    /// Damages authentic bytes in every way that comes up, and takes arbitrary ones.
    private func forEachDamage(of bytes: [UInt8], seed: UInt64, _ body: ([UInt8]) -> Void) {
        var random = SeededNumbers(seed)
        for size in 0..<bytes.count { body(Array(bytes[..<size])) }
        for offset in bytes.indices {
            for value in [UInt8(0), 1, 0x7f, 0x80, 0xff] {
                var damaged = bytes
                damaged[offset] = value
                body(damaged)
            }
        }
        for _ in 0..<2000 {
            let count = Int.random(in: 0...80, using: &random)
            body((0..<count).map { _ in UInt8.random(in: 0...255, using: &random) })
        }
    }

    @Test("Rows are read or refused, whatever the bytes are")
    func rows() {
        let batch = StagedFixture.batches(seed: 9, sizes: [40], people: 6)[0]
        let bytes = StagedRowPiece.bytes(batch.rows.sorted { $0.lookup < $1.lookup })
        var refused = 0
        forEachDamage(of: bytes, seed: 10) { damaged in
            do throws(StagedFault) {
                var rows: [StagedRow] = []
                var piece = try StagedRowPiece(damaged)
                while let run = try piece.next() { try piece.read(run, into: &rows) }
            } catch {
                refused += 1
            }
        }
        #expect(refused > 2000)
    }

    @Test("Texts are read or refused, whatever the bytes are")
    func texts() {
        var refused = 0
        forEachDamage(of: StagedTextPiece.bytes(["a", "", "Die Würde", "x"]), seed: 11) { damaged in
            if (try? StagedTextPiece.texts(damaged)) == nil { refused += 1 }
        }
        #expect(refused > 1000)
    }

    @Test("An index is read or refused, whatever the bytes are, and never leads out of the file")
    func index() throws {
        var index = StagedIndex()
        let people = ["a", "b", "c", "d"].map(StagedFixture.lookup).sorted()
        index.append(.rows, length: 500, count: 20, people: people[0]...people[1])
        index.append(.rows, length: 400, count: 12, people: people[1]...people[3])
        index.append(.items, length: 300, count: 9)
        #expect(try StagedIndex(index.bytes, end: 1200) == index)
        #expect(throws: StagedFault.badOrder) { try StagedIndex(index.bytes, end: 1201) }
        #expect(throws: StagedFault.badNumber) { try StagedIndex(index.bytes, end: 1199) }
        forEachDamage(of: index.bytes, seed: 12) { damaged in
            guard let read = try? StagedIndex(damaged, end: 1200) else { return }
            let pieces = StagedPart.allCases.flatMap { read[$0] }
            #expect(pieces.allSatisfy { $0.offset >= 0 && $0.length >= 28 && $0.offset + $0.length <= 1200 })
        }
    }
}
