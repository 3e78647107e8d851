/// Splits a text into the words inside which merging happens.
///
/// The patterns are those of published tokenizers, written as scanners because no regular-expression engine at hand gives
/// the reference's results at its speed. Each step splits every piece of the step before.
struct PreTokenizer: Hashable, Sendable {
    enum Step: Hashable, Sendable {
        /// Numbers apart from everything else, one by one or in runs.
        case digits(individual: Bool)
        case pattern(SplitPattern)
        /// A word ends before each of these.
        case before(Unicode.Scalar)
    }

    var steps: [Step]

    /// Ranges of bytes in UTF-8, in order, that cover the text.
    func byteRanges(_ text: Substring) -> [Range<Int>] {
        // Without steps nobody asks for the classes of characters.
        guard !steps.isEmpty else { return text.isEmpty ? [] : [0..<text.utf8.count] }
        let scalars = ScalarText(text)
        return split(scalars).map { scalars.offsets[$0.lowerBound]..<scalars.offsets[$0.upperBound] }
    }

    /// Ranges of scalars, in order, that cover the text.
    func split(_ text: ScalarText) -> [Range<Int>] {
        var pieces: [Range<Int>] = text.count == 0 ? [] : [0..<text.count]
        for step in steps {
            var next: [Range<Int>] = []
            next.reserveCapacity(max(pieces.count, text.count / 3))
            for piece in pieces {
                switch step {
                case .digits(let individual): Self.splitDigits(text, piece, individual: individual, into: &next)
                case .pattern(let pattern): pattern.split(text, piece, into: &next)
                case .before(let mark): Self.split(text, piece, before: mark, into: &next)
                }
            }
            pieces = next
        }
        return pieces
    }

    private static func splitDigits(
        _ text: ScalarText, _ piece: Range<Int>, individual: Bool, into pieces: inout [Range<Int>]
    ) {
        var start = piece.lowerBound
        for index in piece.dropFirst() {
            let here = text.classes[index] == .number
            let before = text.classes[index - 1] == .number
            if here != before || (here && individual) {
                pieces.append(start..<index)
                start = index
            }
        }
        pieces.append(start..<piece.upperBound)
    }

    private static func split(
        _ text: ScalarText, _ piece: Range<Int>, before mark: Unicode.Scalar, into pieces: inout [Range<Int>]
    ) {
        var start = piece.lowerBound
        for index in piece.dropFirst() where text.values[index] == mark.value {
            pieces.append(start..<index)
            start = index
        }
        pieces.append(start..<piece.upperBound)
    }
}
