import CKernels
import Dispatch

/// Rows that each name rows of an embedding table: row r names `columns[starts[r]..<starts[r + 1]]`.
///
/// Products over the rows are cut into ranges for threads; a row's sum runs in the order of its entries in one thread, so that
/// the result does not depend on their number.
public struct SparseRows: Hashable, Sendable {
    /// Widest row of a table that the kernels take.
    public static let widthLimit = Int(LETHE_SPARSE_WIDTH)

    public let starts: [Int64]
    public let columns: [Int32]
    public var count: Int { starts.count - 1 }

    /// `starts` must begin with 0, ascend, and end with the number of columns.
    public init(starts: [Int64], columns: [Int32]) {
        precondition(starts.first == 0 && starts.last == Int64(columns.count), "the rows must cover the columns")
        self.starts = starts
        self.columns = columns
    }

    public func entries(of row: Int) -> Range<Int> { Int(starts[row])..<Int(starts[row + 1]) }

    /// Σ_e weights[e]·table[column e] for every row.
    public func sum(weights: [Float], of table: [Float], width: Int, threads: Int = 1) -> [Float] {
        check(width: width, weights.count)
        return rows(width: width, perRow: width, threads: threads) {
            lethe_sparse_sum($0, $1, $2, weights, table, 0, $3)
        }
    }

    /// Σ_e (σ(z_r·z_n) − label e)·z_n for every row r, n being column e: the gradient of the logistic loss for z.
    public func logisticGradient(labels: [UInt8], of table: [Float], width: Int, threads: Int = 1) -> [Float] {
        check(width: width, labels.count)
        return rows(width: width, perRow: width, threads: threads) {
            lethe_sparse_logistic($0, $1, $2, labels, table, $3)
        }
    }

    /// For every entry p(1 − p) and p − label with p = σ(z_r·z_n).
    public func logisticTerms(
        labels: [UInt8], of table: [Float], width: Int, threads: Int = 1
    ) -> (curvature: [Float], slope: [Float]) {
        check(width: width, labels.count)
        var slope = [Float](repeating: 0, count: columns.count)
        let curvature = [Float](unsafeUninitializedCapacity: columns.count) { curvature, initialized in
            slope.withUnsafeMutableBufferPointer { slope in
                guard let first = curvature.baseAddress, let second = slope.baseAddress else { return }
                over(width: width, threads: threads) {
                    lethe_sparse_terms($0, $1, $2, labels, table, first, second)
                }
            }
            initialized = columns.count
        }
        return (curvature, slope)
    }

    /// Σ_e weights[e]·z_n·z_nᵀ for every row: `[rows, width, width]`.
    public func squares(weights: [Float], of table: [Float], width: Int, threads: Int = 1) -> [Float] {
        check(width: width, weights.count)
        return rows(width: width, perRow: width * width, threads: threads) {
            lethe_sparse_squares($0, $1, $2, weights, table, $3)
        }
    }

    /// block_r·x_r + Σ_e (curvature[e]·(z_r·x_n)·z_n + slope[e]·x_n) for every row r, n being column e.
    ///
    /// - `blocks`: `[rows, width, width]`, symmetric.
    /// - `slope`: nil leaves its term out.
    public func hessian(
        blocks: [Float], curvature: [Float], slope: [Float]?, at table: [Float], times x: [Float], width: Int,
        threads: Int = 1
    ) -> [Float] {
        check(width: width, curvature.count)
        return rows(width: width, perRow: width, threads: threads) {
            if let slope {
                lethe_sparse_hessian($0, $1, $2, blocks, curvature, slope, table, x, $3)
            } else {
                lethe_sparse_hessian($0, $1, $2, blocks, curvature, nil, table, x, $3)
            }
        }
    }

    /// Σ_e weights[e]·(x_r·z_n)·z_n for every row.
    public func curved(weights: [Float], of table: [Float], times x: [Float], width: Int, threads: Int = 1) -> [Float] {
        check(width: width, weights.count)
        return rows(width: width, perRow: width, threads: threads) {
            lethe_sparse_curved($0, $1, $2, weights, table, x, $3)
        }
    }

    private func check(width: Int, _ values: Int) {
        precondition((1...Self.widthLimit).contains(width), "the width is out of range")
        precondition(values == columns.count, "every entry needs a value")
    }

    private func rows(
        width: Int, perRow: Int, threads: Int,
        _ kernel: (UnsafePointer<lethe_sparse>, Int32, Int32, UnsafeMutablePointer<Float>) -> Void
    ) -> [Float] {
        [Float](unsafeUninitializedCapacity: count * perRow) { buffer, initialized in
            if let out = buffer.baseAddress {
                over(width: width, threads: threads) { kernel($0, $1, $2, out) }
            }
            initialized = count * perRow
        }
    }

    /// Calls the kernel for ranges of rows that together are all rows.
    private func over(width: Int, threads: Int, _ kernel: (UnsafePointer<lethe_sparse>, Int32, Int32) -> Void) {
        starts.withUnsafeBufferPointer { starts in
            columns.withUnsafeBufferPointer { columns in
                guard let begin = starts.baseAddress else { return }
                // Without entries no column is looked at.
                let empty: [Int32] = [0]
                empty.withUnsafeBufferPointer { empty in
                    var rows = lethe_sparse(
                        starts: begin, columns: columns.baseAddress ?? empty.baseAddress, width: Int32(width))
                    withUnsafePointer(to: &rows) { rows in
                        let cuts = cuts(threads: threads)
                        guard cuts.count > 2 else {
                            kernel(rows, 0, Int32(count))
                            return
                        }
                        withoutActuallyEscaping(kernel) { kernel in
                            let work = WorkItem(kernel: kernel, rows: rows, cuts: cuts)
                            DispatchQueue.concurrentPerform(iterations: cuts.count - 1) { work.run($0) }
                        }
                    }
                }
            }
        }
    }

    /// One call of a kernel for several threads. They may share it: no two write the same row.
    private struct WorkItem: @unchecked Sendable {
        let kernel: (UnsafePointer<lethe_sparse>, Int32, Int32) -> Void
        let rows: UnsafePointer<lethe_sparse>
        let cuts: [Int]

        func run(_ part: Int) { kernel(rows, Int32(cuts[part]), Int32(cuts[part + 1])) }
    }

    /// First rows of ranges with about equally many entries, and the end.
    private func cuts(threads: Int) -> [Int] {
        let smallest = 16384
        let parts = min(threads, columns.count / smallest, count)
        guard parts > 1 else { return [0, count] }
        var cuts = [0]
        for part in 1..<parts {
            let wanted = Int64(columns.count * part / parts)
            var (low, high) = (cuts[part - 1], count)
            while low < high {
                let middle = (low + high) / 2
                if starts[middle] < wanted { low = middle + 1 } else { high = middle }
            }
            cuts.append(low)
        }
        return cuts + [count]
    }
}

/// Symmetric blocks `[rows, width, width]` times the rows of x `[rows, width]`.
public func blockProduct(_ blocks: [Float], _ x: [Float], width: Int) -> [Float] {
    precondition(
        (1...SparseRows.widthLimit).contains(width) && blocks.count == x.count * width && x.count % width == 0,
        "blocks and rows must agree")
    return [Float](unsafeUninitializedCapacity: x.count) { buffer, initialized in
        if let out = buffer.baseAddress {
            lethe_block_product(Int32(width), 0, Int32(x.count / width), blocks, x, out)
        }
        initialized = x.count
    }
}
