/// Fixed blocks of rows for the matrix products: a function of the number of rows only.
package struct RowBlocks: Sendable, Hashable {
    package static let largest = 128
    /// Rows of a product are rounded up to a multiple of this.
    package static let step = 16

    package let rows: Int
    /// Rows of every block but the last; a multiple of `step`.
    package let size: Int
    package let count: Int

    package init(rows: Int) {
        var blocks = (rows + Self.largest - 1) / Self.largest
        // An even number, for two threads; small blocks are slower, so not more than needed.
        if blocks % 2 == 1 && rows > 2 * Self.step { blocks += 1 }
        blocks = max(1, blocks)
        let perBlock = (rows + blocks - 1) / blocks
        self.rows = rows
        size = max(Self.step, (perBlock + Self.step - 1) / Self.step * Self.step)
        count = (rows + size - 1) / size
    }

    package func start(_ block: Int) -> Int { block * size }
    package func count(_ block: Int) -> Int { min(size, rows - block * size) }
    /// Rows of the block's products.
    package func padded(_ block: Int) -> Int { (count(block) + Self.step - 1) / Self.step * Self.step }
    /// Rows that a matrix must have so that the last block's product stays inside.
    package var capacity: Int { rows == 0 ? 0 : start(count - 1) + padded(count - 1) }
}

/// One block of a micro-batch's rows, as the operations take it: of all tokens, or of the answers in the last layer.
struct RowBlock {
    let number: Int
    let range: Range<Int>
    /// Rows of its matrix products.
    let padded: Int
    let ofAnswers: Bool

    var start: Int { range.lowerBound }
    var count: Int { range.count }
}
