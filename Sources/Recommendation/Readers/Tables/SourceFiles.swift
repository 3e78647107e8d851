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
}
