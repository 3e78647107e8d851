/// The files that an import consists of.
struct SourceFiles {
    /// A file whose rows are fields.
    struct Table {
        enum Separation {
            case plain([UInt8])
            case quoted(UInt8)
            /// Quotes only around fields that hold quotes, separators or line breaks; others may begin with a quote.
            case sparing(UInt8)
        }

        var file: SourceFile
        var columns: Columns
        var separation: Separation
        /// Lines before the first row.
        var headerLines: Int
        /// Behind the header, of what can be read only once.
        var lines: LineReader?
    }

    var items: [Table]
    var ratings: [Table]
    /// Files of a folder of which nothing is taken, and why.
    var unused: [SourceReport] = []

    /// Where a file may be, in the order in which it is looked for.
    ///
    /// - Parameter named: what somebody named; where it is one of them it comes first.
    static func packedOrNot(_ path: String, first named: String? = nil) -> [String] {
        let all = [path] + FilePacking.endings.map { path + $0 }
        return all.filter { $0 == named } + all.filter { $0 != named }
    }

    /// Numbers in names count as numbers: part 2 comes before part 10.
    static func isInOrder(_ left: String, _ right: String) -> Bool {
        func pieces(_ text: String) -> [(number: String, text: String)] {
            var pieces: [(number: String, text: String)] = []
            var wasDigit = false
            for character in text {
                let isDigit = ("0"..."9").contains(character)
                if pieces.isEmpty || isDigit != wasDigit { pieces.append(("", "")) }
                wasDigit = isDigit
                let last = pieces.count - 1
                if isDigit { pieces[last].number.append(character) } else { pieces[last].text.append(character) }
            }
            return pieces.map { (String($0.number.drop { $0 == "0" }), $0.text) }
        }
        for (left, right) in zip(pieces(left), pieces(right)) where left != right {
            if left.text != right.text { return left.text < right.text }
            return (left.number.count, left.number) < (right.number.count, right.number)
        }
        return left < right
    }
}
