/// Ratings are mostly whole or half stars: those take one byte.
enum StagedRating {
    private static let largest = 100.0
    /// Before eight bytes that hold any other.
    private static let other: UInt8 = 255

    static func put(_ rating: Double, into writer: inout StagedBytesWriter) {
        let halves = rating * 2
        // Zero with a sign is none of them.
        if rating >= 0, rating <= largest, halves == halves.rounded(), rating.sign == .plus {
            writer.put(byte: UInt8(halves))
        } else {
            writer.put(byte: other)
            writer.put(bits: rating.bitPattern)
        }
    }

    static func read(from reader: inout StagedBytesReader) throws(StagedFault) -> Double {
        let byte = try reader.byte()
        if byte == other { return Double(bitPattern: try reader.bits()) }
        let rating = Double(byte) / 2
        guard rating <= largest else { throw .badNumber }
        return rating
    }
}
