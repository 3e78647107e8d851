import Foundation

/// Rows of text in aligned columns; numbers are the caller's to format.
package struct Table {
    /// Columns are not made narrower than this to fit.
    private static let narrowest = 8
    private static let gap = 2

    private let rows: [[String]]

    package init(_ rows: [[String]]) {
        self.rows = rows
    }

    /// - Parameter width: cells of the widest columns go over several lines where a row would be longer; nil: however long.
    package func text(width: Int? = nil) -> String {
        guard let count = rows.map(\.count).max() else { return "" }
        var widths = (0..<count).map { column in
            rows.map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0
        }
        if let width { Self.narrow(&widths, to: width) }
        return rows.map { Self.line($0, widths) }.joined(separator: "\n")
    }

    /// One column from the widest, until the row fits or nothing can be given up any more.
    private static func narrow(_ widths: inout [Int], to width: Int) {
        while widths.reduce(gap * (widths.count - 1), +) > width,
            let widest = widths.indices.max(by: { (widths[$0], $1) < (widths[$1], $0) }), widths[widest] > narrowest
        {
            widths[widest] -= 1
        }
    }

    private static func line(_ row: [String], _ widths: [Int]) -> String {
        let cells = zip(row, widths).map { $0.count > $1 ? lines(of: $0, max(1, $1)) : [$0] }
        return (0..<(cells.map(\.count).max() ?? 0)).map { number in
            var text = ""
            for (column, cell) in cells.enumerated() {
                let part = number < cell.count ? cell[number] : ""
                text += part
                if column + 1 < cells.count {
                    text += String(repeating: " ", count: max(0, widths[column] - part.count) + gap)
                }
            }
            return String(text.reversed().drop { $0 == " " }.reversed())
        }.joined(separator: "\n")
    }
}

/// Rows of text in aligned columns, however long.
func table(_ rows: [[String]]) -> String { Table(rows).text() }

/// A number with a fixed count of decimals.
func decimal(_ value: Double, _ places: Int = 3) -> String {
    String(format: "%.\(places)f", value)
}
