import Files

/// The kinds of parts that a staged batch's file has, in the order in which they lie there.
enum StagedPart: String, CaseIterable, Sendable {
    case rows
    case items
    case refused

    /// Bytes that one of them takes before it is sealed, at least.
    var leastBytes: Int {
        switch self {
        case .rows: 4
        case .items: 2
        case .refused: 1
        }
    }
}

/// Where the pieces of a staged batch's file lie, and whose rows they hold. It is sealed like the pieces.
struct StagedIndex: Equatable, Sendable {
    struct Piece: Equatable, Sendable {
        /// Of its sealed bytes.
        var offset: Int
        var length: Int
        /// Rows, items or names.
        var count: Int
        /// Whose rows it holds; nil where it holds none. The next piece may go on with the last person.
        var people: ClosedRange<PersonLookup>?
    }

    private static let version: UInt8 = 1

    /// Of this file alone; the pieces are bound to it. One of an older file of the same batch has no place here.
    let mark: UInt64
    private(set) var pieces: [StagedPart: [Piece]] = [:]
    /// Where the next piece would begin.
    private(set) var end = 0

    init() { mark = .random(in: 0...UInt64.max) }

    subscript(part: StagedPart) -> [Piece] { pieces[part] ?? [] }

    mutating func append(
        _ part: StagedPart, length: Int, count: Int, people: ClosedRange<PersonLookup>? = nil
    ) {
        pieces[part, default: []].append(Piece(offset: end, length: length, count: count, people: people))
        end += length
    }

    var bytes: [UInt8] {
        var writer = StagedBytesWriter()
        writer.put(byte: Self.version)
        writer.put(bits: mark)
        for part in StagedPart.allCases {
            writer.put(count: self[part].count)
            for piece in self[part] {
                writer.put(count: piece.length)
                writer.put(count: piece.count)
                guard let people = piece.people else { continue }
                writer.put(lookup: people.lowerBound)
                writer.put(lookup: people.upperBound)
            }
        }
        return writer.bytes
    }

    /// - Parameter end: how many bytes of the file are pieces. They must be just those of the index.
    init(_ bytes: [UInt8], end wanted: Int) throws(StagedFault) {
        var reader = StagedBytesReader(bytes)
        guard try reader.byte() == Self.version else { throw .badVersion }
        mark = try reader.bits()
        for part in StagedPart.allCases {
            var last: PersonLookup?
            for _ in 0..<(try reader.count(ofBytes: 2)) {
                guard let length = Int(exactly: try reader.number()), let count = Int(exactly: try reader.number()),
                    length >= SealedBytes.overhead, length <= wanted - end, count <= length / part.leastBytes
                else { throw .badNumber }
                var people: ClosedRange<PersonLookup>?
                if part == .rows {
                    let (from, to) = (try reader.lookup(), try reader.lookup())
                    guard from <= to, last.map({ $0 <= from }) ?? true else { throw .badOrder }
                    (people, last) = (from...to, to)
                }
                append(part, length: length, count: count, people: people)
            }
        }
        try reader.requireEnd()
        guard end == wanted else { throw .badOrder }
    }
}
