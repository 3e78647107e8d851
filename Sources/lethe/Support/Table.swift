import Foundation

/// Rows of text in aligned columns; numbers are the caller's to format.
func table(_ rows: [[String]]) -> String {
    guard let columns = rows.map(\.count).max() else { return "" }
    let widths = (0..<columns).map { column in
        rows.map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
        var line = ""
        for (column, cell) in row.enumerated() {
            line += cell
            if column + 1 < row.count {
                line += String(repeating: " ", count: widths[column] - cell.count + 2)
            }
        }
        return line
    }.joined(separator: "\n")
}

/// A number with a fixed count of decimals.
func decimal(_ value: Double, _ places: Int = 3) -> String {
    String(format: "%.\(places)f", value)
}
