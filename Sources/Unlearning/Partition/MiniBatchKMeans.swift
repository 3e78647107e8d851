import Recommendation

/// K-means for more rows than Lloyd's iterations go through in reasonable time (Sculley, 2010): each centre moves towards the
/// rows of a batch that are nearest to it, by less the more it has had.
///
/// Of the rows a sample counts, chosen and ordered by a keyed hash, so that neither time nor memory grows with all of them. A
/// pure function of the rows, their keys and the seed: every sum in one fixed order, one thread, the same bits everywhere.
enum MiniBatchKMeans {
    /// Rows that count, for each centre at least four.
    static let sample = 1 << 15
    /// Of these, rows that the first centres are drawn from; for each centre at least two.
    static let first = 1 << 12
    static let batch = 1 << 11
    /// How often the sample is gone through.
    static let passes = 4

    /// - Parameters:
    ///   - rows: `[keys, dimension]`, one row or more.
    ///   - keys: names the rows; each once.
    static func clusters(rows: [Float], keys: [String], dimension: Int, clusters: Int, seed: UInt64) -> Clusters {
        let hashes = keys.map { FieldHash.number(["k-means", String(seed), $0]) }
        let order = Array(
            keys.indices.sorted { (hashes[$0], $0) < (hashes[$1], $1) }.prefix(max(sample, 4 * clusters)))
        let chosen = order.flatMap { rows[($0 * dimension)..<(($0 + 1) * dimension)] }
        var random = SplitMix64(state: seed)
        let drawnFrom = min(order.count, max(first, 2 * clusters))
        let drawn = KMeans.initial(
            rows: Array(chosen[..<(drawnFrom * dimension)]), dimension: dimension, clusters: clusters, random: &random)
        var centres = drawn.centres.map(Double.init)
        // The first row that a centre moves to takes the place of the one that it was drawn as.
        var moved = [Set<Int>](repeating: [], count: clusters)
        var sizes = [Double](repeating: 0, count: clusters)
        for _ in 0..<passes {
            for start in stride(from: 0, to: order.count, by: batch) {
                let end = min(start + batch, order.count)
                let rows = Array(chosen[(start * dimension)..<(end * dimension)])
                let nearest = KMeans.nearest(rows: rows, centres: centres.map(Float.init), dimension: dimension)
                for (row, nearest) in nearest.enumerated() {
                    sizes[nearest.centre] += 1
                    moved[nearest.centre].insert(order[start + row])
                    let rate = 1 / sizes[nearest.centre]
                    let centre = nearest.centre * dimension
                    for index in 0..<dimension {
                        let difference = Double(rows[row * dimension + index]) - centres[centre + index]
                        centres[centre + index] += rate * difference
                    }
                }
            }
        }
        return Clusters(
            centres: centres.map(Float.init),
            rows: zip(moved, drawn.rows).map { $0.isEmpty ? $1.map { order[$0] } : $0.sorted() })
    }
}
