/// Packed bytes on their way to text, piece by piece: memory holds one piece and what the unpacker keeps, however much comes out.
/// Parts that stand one behind the other (frames of zst, members of gz) are one text.
final class PackedStream {
    /// Bytes of text after which a piece goes out.
    static let piece = 1 << 18

    private let unpacker: any Unpacker
    private var input: PackedInput

    /// - Parameter beginning: of the file.
    init(_ unpacker: any Unpacker, beginning: [UInt8]) {
        self.unpacker = unpacker
        input = PackedInput(beginning)
    }

    /// The next piece of the text; empty at its end.
    ///
    /// - Parameter more: the next bytes of the file; empty at its end.
    /// - Throws: `PackedDataFailure`; whatever `more` throws.
    func next(_ more: () throws -> [UInt8]) throws -> [UInt8] {
        var text: [UInt8] = []
        while true {
            // An unpacker takes the last byte of a part only when all of its text has come out.
            if input.isEmpty {
                if !text.isEmpty { return text }
                guard try input.read(more) else {
                    guard unpacker.mayEnd else { throw failure(.cut) }
                    return []
                }
            }
            if unpacker.isBetweenParts, try !unpacker.beginPart(&input, more) { continue }
            let expanded = try unpacker.expand(&input)
            input.bound.bytesOut += expanded.count
            guard input.bound.isKept else { throw failure(.bomb) }
            // Parts may be short: they go on together.
            text += expanded
            if text.count >= Self.piece { return text }
        }
    }

    private func failure(_ reason: PackedDataFailure.Reason) -> PackedDataFailure {
        PackedDataFailure(packing: unpacker.packing, reason: reason)
    }
}

/// What a library does of it: expands one part after the other.
protocol Unpacker: AnyObject {
    var packing: FilePacking { get }
    /// Whether the next byte belongs to no part that has begun.
    var isBetweenParts: Bool { get }
    /// Whether the file may end here.
    var mayEnd: Bool { get }

    /// Between parts, with at least one byte of input.
    ///
    /// - Parameter more: the next bytes of the file; empty at its end.
    /// - Returns: false: no part begins with what there was, and it is passed over.
    func beginPart(_ input: inout PackedInput, _ more: () throws -> [UInt8]) throws -> Bool
    /// What comes of the input, of one part: at most `PackedStream.piece` bytes.
    func expand(_ input: inout PackedInput) throws(PackedDataFailure) -> [UInt8]
}

/// What was read of a packed file, and how much of it was consumed.
struct PackedInput {
    var bytes: [UInt8]
    var consumed = 0
    var bound = ExpansionBound()

    init(_ beginning: [UInt8]) {
        bytes = beginning
        bound.bytesIn = beginning.count
    }

    var isEmpty: Bool { consumed == bytes.count }
    var rest: ArraySlice<UInt8> { bytes[consumed...] }

    /// Further bytes, behind what is left.
    ///
    /// - Returns: false: there are none.
    mutating func read(_ more: () throws -> [UInt8]) rethrows -> Bool {
        let next = try more()
        bytes = isEmpty ? next : rest + next
        consumed = 0
        bound.bytesIn += next.count
        return !next.isEmpty
    }
}
