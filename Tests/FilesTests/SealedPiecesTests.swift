import Crypto
import Files
import Foundation
import Testing

@Suite("Many bytes sealed piece by piece")
struct SealedPiecesTests {
    private let key = SymmetricKey(size: .bits256)

    private func bytes(_ count: Int) -> Data { Data((0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }) }

    private func seal(_ bytes: Data, part: Int = 300_001, context: String = "c") throws -> Data {
        var sealed = Data()
        var writer = SealedPieces.Writer(key: key, context: context)
        for start in stride(from: 0, to: bytes.count, by: part) {
            try writer.write(bytes[start..<min(start + part, bytes.count)]) { sealed.append($0) }
        }
        try writer.finish { sealed.append($0) }
        return sealed
    }

    private func open(_ sealed: Data, key: SymmetricKey? = nil, context: String = "c") throws -> Data {
        var reader = try SealedPieces.Reader(sealed, key: key ?? self.key, context: context)
        var bytes = Data()
        while bytes.count < reader.count {
            var part = [UInt8](repeating: 0, count: min(70_001, reader.count - bytes.count))
            try part.withUnsafeMutableBytes { try reader.read(into: $0) }
            bytes += part
        }
        return bytes
    }

    @Test(
        "What was written in parts of any size is what is read",
        arguments: [0, 1, SealedPieces.pieceBytes - 1, SealedPieces.pieceBytes, 2 * SealedPieces.pieceBytes + 5])
    func roundTrip(count: Int) throws {
        let sealed = try seal(bytes(count))
        #expect(try open(sealed) == bytes(count))
        #expect(try open(seal(bytes(count), part: 3 * SealedPieces.pieceBytes)) == bytes(count))
        #expect(sealed.count == count + SealedBytes.overhead * (count / SealedPieces.pieceBytes + 1))
        #expect(throws: SealedBytes.Failure.self) { try open(sealed, key: SymmetricKey(size: .bits256)) }
        #expect(throws: SealedBytes.Failure.self) { try open(sealed, context: "d") }
    }

    @Test("Pieces that are changed, swapped, repeated, cut off or added do not open")
    func damage() throws {
        let box = SealedPieces.boxBytes
        let sealed = try seal(bytes(2 * SealedPieces.pieceBytes + 100))
        let (first, second, last) = (sealed[..<box], sealed[box..<(2 * box)], sealed[(2 * box)...])
        // Lists of pieces: sums of them, each of which could be of several types, take the compiler a minute.
        let changes: [[Data]] = [
            [second, first, last], [first, first, last], [first, second], [first], [first, last], [second, last],
            [first, second, second, last], [first, second, last, last], [sealed.dropLast()], [sealed, Data([0])], [],
        ]
        for changed in changes {
            #expect(throws: SealedBytes.Failure.self) { try open(Data(changed.joined())) }
        }
        for position in [0, box - 1, box, 2 * box + 3, sealed.count - 1] {
            var changed = sealed
            changed[position] ^= 1
            #expect(throws: SealedBytes.Failure.self) { try open(changed) }
        }
    }

    @Test("Who reads more than there is learns it")
    func end() throws {
        for count in [0, 10, SealedPieces.pieceBytes] {
            var reader = try SealedPieces.Reader(seal(bytes(count)), key: key, context: "c")
            var more = [UInt8](repeating: 0, count: count + 1)
            #expect(throws: SealedBytes.Failure.self) {
                try more.withUnsafeMutableBytes { try reader.read(into: $0) }
            }
        }
    }
}
