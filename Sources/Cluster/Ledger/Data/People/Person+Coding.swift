import Messages
import Recommendation

/// How a person lies in the database, below the seal: every interaction is read whenever its person's prompts are made, so
/// few bytes and no parser.
///
/// Numbers are varints (`RecordWriter`). In this order:
///
/// - the version of this layout, one byte: 1; 2 with a recorded slice; 3 with drawn negatives
/// - the name's length in bytes of UTF-8, the name
/// - the appearance: import, ordinal
/// - in version 2 the slice; in version 3 one byte, and the slice where that is 1
/// - the number of interactions; of each
///   - one byte: 0x00...0xC8 is twice its rating, and it has neither split nor shard nor seen; otherwise 0xE0 and the bits of
///     `Parts`, followed by the rating, in one byte as above or as a 64-bit number
///   - item
///   - timestamp and ordinal less those of the interaction before it (of the first: less 0), modulo 2^64, zig-zag
///   - where `Parts` says so: shard; the number of seen, of each shard and epoch
/// - in version 3 the number of interactions with negatives; of each its place less that of the one before it, less 1 (of the
///   first: its place), the number of negatives, their items
extension Person {
    private static let version: UInt8 = 1
    /// Of people with a recorded slice, so that releases before can read all others.
    private static let versionWithSlice: UInt8 = 2
    /// Of people with negatives.
    private static let versionWithNegatives: UInt8 = 3

    var encoded: [UInt8] {
        var writer = RecordWriter(capacity: 32 + name.utf8.count + 12 * interactions.count)
        let hasNegatives = interactions.contains { !$0.negatives.isEmpty }
        writer.byte(hasNegatives ? Self.versionWithNegatives : slice == nil ? Self.version : Self.versionWithSlice)
        writer.text(name)
        writer.varint(appearance.import)
        writer.varint(appearance.ordinal)
        if hasNegatives { writer.byte(slice == nil ? 0 : 1) }
        if let slice { writer.varint(slice) }
        writer.varint(interactions.count)
        var (timestamp, ordinal): (Int64, Int64) = (0, 0)
        for kept in interactions {
            kept.write(to: &writer, after: timestamp, ordinal)
            (timestamp, ordinal) = (kept.timestamp, kept.ordinal)
        }
        if hasNegatives { writeNegatives(to: &writer) }
        return writer.bytes
    }

    private func writeNegatives(to writer: inout RecordWriter) {
        writer.varint(interactions.count { !$0.negatives.isEmpty })
        var next = 0
        for (place, kept) in interactions.enumerated() where !kept.negatives.isEmpty {
            writer.varint(place - next)
            writer.varint(kept.negatives.count)
            for item in kept.negatives { writer.varint(item) }
            next = place + 1
        }
    }

    private mutating func readNegatives(from reader: inout RecordReader) throws(LedgerError) {
        var next = 0
        for _ in 0..<(try reader.count(ofAtLeast: 3)) {
            let distance = try reader.number()
            guard distance >= 0, distance < interactions.count - next else {
                throw .record("has negatives of an interaction that is not there")
            }
            let place = next + distance
            for _ in 0..<(try reader.count(ofAtLeast: 1)) {
                interactions[place].negatives.append(try reader.integer())
            }
            next = place + 1
        }
    }

    /// - Throws: `LedgerError.corrupt`, which never names a value: it may say something about a person.
    init(decoding bytes: some Collection<UInt8>) throws(LedgerError) {
        var reader = RecordReader(Array(bytes))
        let version = try reader.byte()
        guard [Self.version, Self.versionWithSlice, Self.versionWithNegatives].contains(version) else {
            throw .record("is written in a way that this release does not know")
        }
        name = try reader.text()
        appearance = Appearance(import: try reader.integer(), ordinal: try reader.integer())
        let hasSlice =
            switch version {
            case Self.version: false
            case Self.versionWithSlice: true
            default: try reader.byte() == 1
            }
        slice = hasSlice ? try reader.number() : nil
        let count = try reader.count(ofAtLeast: Kept.smallest)
        interactions = []
        interactions.reserveCapacity(count)
        var (timestamp, ordinal): (Int64, Int64) = (0, 0)
        for _ in 0..<count {
            let kept = try Kept(from: &reader, after: timestamp, ordinal)
            (timestamp, ordinal) = (kept.timestamp, kept.ordinal)
            interactions.append(kept)
        }
        if version == Self.versionWithNegatives { try readNegatives(from: &reader) }
        try reader.expectEnd()
    }
}

/// What an interaction has beyond item, time and a usual rating.
private struct Parts: OptionSet {
    let rawValue: UInt8
    /// The rating takes eight bytes.
    static let wideRating = Parts(rawValue: 1)
    /// Two bits: 0 without split.
    static let split = Parts(rawValue: 6)
    static let shard = Parts(rawValue: 8)
    static let seen = Parts(rawValue: 16)
    static let all: Parts = [.wideRating, .split, .shard, .seen]

    private static let mark: UInt8 = 0xE0

    init(rawValue: UInt8) { self.rawValue = rawValue }

    init?(byte: UInt8) {
        guard byte & ~Self.all.rawValue == Self.mark else { return nil }
        self.init(rawValue: byte & Self.all.rawValue)
    }

    var byte: UInt8 { Self.mark | rawValue }

    init(split: Split?) {
        switch split {
        case nil: self = []
        case .train: self.init(rawValue: 2)
        case .validation: self.init(rawValue: 4)
        case .test: self.init(rawValue: 6)
        }
    }

    var recordedSplit: Split? {
        switch intersection(.split).rawValue {
        case 2: .train
        case 4: .validation
        case 6: .test
        default: nil
        }
    }
}

/// Ratings that one byte holds, as twice their value: multiples of one half from 0 to 100.
private enum ShortRating {
    static let highest: UInt8 = 0xC8

    /// nil: it takes eight bytes. Negative zero does, too.
    static func byte(_ rating: Double) -> UInt8? {
        guard let byte = UInt8(exactly: rating * 2), byte <= highest, rating.sign == .plus else { return nil }
        return byte
    }

    static func rating(_ byte: UInt8) -> Double { Double(byte) / 2 }
}

extension Person.Kept {
    /// Bytes: rating, item, timestamp, ordinal.
    fileprivate static let smallest = 4

    fileprivate func write(to writer: inout RecordWriter, after timestamp: Int64, _ ordinal: Int64) {
        let short = ShortRating.byte(rating)
        var parts = Parts(split: split)
        if short == nil { parts.insert(.wideRating) }
        if shard != nil { parts.insert(.shard) }
        if !seen.isEmpty { parts.insert(.seen) }
        if !parts.isEmpty { writer.byte(parts.byte) }
        if let short { writer.byte(short) } else { writer.double(rating) }
        writer.varint(item)
        writer.signedVarint(self.timestamp &- timestamp)
        writer.signedVarint(self.ordinal &- ordinal)
        if let shard { writer.varint(shard) }
        guard !seen.isEmpty else { return }
        writer.varint(seen.count)
        for adapter in seen {
            writer.varint(adapter.shard)
            writer.varint(adapter.epoch)
        }
    }

    fileprivate init(
        from reader: inout RecordReader, after timestamp: Int64, _ ordinal: Int64
    ) throws(LedgerError) {
        var first = try reader.byte()
        var parts: Parts = []
        if first > ShortRating.highest {
            guard let read = Parts(byte: first) else { throw .record("has parts that this release does not know") }
            parts = read
            if !parts.contains(.wideRating) { first = try reader.byte() }
        }
        if parts.contains(.wideRating) {
            rating = try reader.double()
        } else {
            guard first <= ShortRating.highest else { throw .record("has a rating in no known form") }
            rating = ShortRating.rating(first)
        }
        item = try reader.integer()
        self.timestamp = try timestamp &+ reader.signedInteger()
        self.ordinal = try ordinal &+ reader.signedInteger()
        split = parts.recordedSplit
        shard = parts.contains(.shard) ? try reader.number() : nil
        guard parts.contains(.seen) else { return }
        let count = try reader.count(ofAtLeast: 2)
        seen.reserveCapacity(count)
        for _ in 0..<count {
            seen.append(Person.Seen(shard: try reader.number(), epoch: try reader.integer()))
        }
    }
}
