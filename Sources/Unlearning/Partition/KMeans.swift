import Foundation

/// Centres, and what they were made of.
struct Clusters {
    /// `[clusters, dimension]`
    var centres: [Float]
    /// Of each centre, ascending: the rows that it is the mean of, or the one that it was drawn as and that none followed.
    var rows: [[Int]]
}

/// Plain K-means (Lloyd's iterations from k-means++ centres), a pure function of the rows, their order and the seed.
///
/// Squared Euclidean distances, every sum in one fixed order, one thread: the same bits everywhere. The best of a few
/// starts counts, so that the result is not at the mercy of one draw.
enum KMeans {
    static let mostIterations = 50
    static let starts = 4

    /// Centres `[clusters, dimension]` of `rows` `[n, dimension]`, n ≥ 1. Fewer distinct rows than clusters give equal
    /// centres.
    static func clusters(rows: [Float], dimension: Int, clusters: Int, seed: UInt64) -> Clusters {
        var random = SplitMix64(state: seed)
        var best: (clusters: Clusters, spread: Double)?
        for _ in 0..<starts {
            let found = refined(
                initial(rows: rows, dimension: dimension, clusters: clusters, random: &random), rows: rows,
                dimension: dimension)
            let spread = nearest(rows: rows, centres: found.centres, dimension: dimension)
                .reduce(0) { $0 + $1.distance }
            if best == nil || spread < (best?.spread ?? .infinity) { best = (found, spread) }
        }
        return best?.clusters ?? Clusters(centres: [], rows: [])
    }

    /// Lloyd's iterations until no row changes its centre.
    private static func refined(_ initial: Clusters, rows: [Float], dimension: Int) -> Clusters {
        var centres = initial.centres
        let clusters = centres.count / dimension
        var assigned: [Int] = []
        // What those are made of that have no rows.
        var left = initial.rows
        for _ in 0..<mostIterations {
            let nearest = nearest(rows: rows, centres: centres, dimension: dimension).map(\.centre)
            if nearest == assigned { break }
            let before = assigned
            assigned = nearest
            var sums = [Double](repeating: 0, count: centres.count)
            var sizes = [Int](repeating: 0, count: clusters)
            for (row, centre) in assigned.enumerated() {
                sizes[centre] += 1
                for index in 0..<dimension { sums[centre * dimension + index] += Double(rows[row * dimension + index]) }
            }
            // A cluster that lost all rows keeps its centre.
            for centre in 0..<clusters {
                guard sizes[centre] > 0 else {
                    let last = before.indices.filter { before[$0] == centre }
                    if !last.isEmpty { left[centre] = last }
                    continue
                }
                for index in (centre * dimension)..<((centre + 1) * dimension) {
                    centres[index] = Float(sums[index] / Double(sizes[centre]))
                }
            }
        }
        var members = [[Int]](repeating: [], count: clusters)
        for (row, centre) in assigned.enumerated() { members[centre].append(row) }
        return Clusters(centres: centres, rows: zip(members, left).map { $0.isEmpty ? $1 : $0 })
    }

    /// Greedy k-means++ (Arthur and Vassilvitskii, 2007, with its authors' local trials): each next centre is, of a few
    /// rows drawn with probability proportional to the squared distance from the centres so far, the one that leaves the
    /// smallest sum of these.
    static func initial(
        rows: [Float], dimension: Int, clusters: Int, random: inout SplitMix64
    ) -> Clusters {
        let count = rows.count / dimension
        func row(_ index: Int) -> [Float] { Array(rows[(index * dimension)..<((index + 1) * dimension)]) }
        func distances(to centre: [Float], atMost bound: [Double]) -> [Double] {
            zip(nearest(rows: rows, centres: centre, dimension: dimension), bound).map { min($0.distance, $1) }
        }
        let first = Int(random.uniform() * Double(count))
        var (centres, drawn) = (row(first), [[first]])
        var left = distances(to: centres, atMost: [Double](repeating: .infinity, count: count))
        for _ in 1..<max(1, clusters) {
            var best: (row: Int, left: [Double], sum: Double)?
            for _ in 0..<(2 + Int(log(Double(clusters)))) {
                let candidate = draw(left, random: &random)
                let remaining = distances(to: row(candidate), atMost: left)
                let sum = remaining.reduce(0, +)
                if best == nil || sum < (best?.sum ?? .infinity) { best = (candidate, remaining, sum) }
            }
            guard let best else { break }
            centres += row(best.row)
            drawn.append([best.row])
            left = best.left
        }
        return Clusters(centres: centres, rows: drawn)
    }

    /// A position, with probability proportional to its value; the first when all are zero.
    private static func draw(_ values: [Double], random: inout SplitMix64) -> Int {
        let threshold = random.uniform() * values.reduce(0, +)
        var (sum, drawn) = (0.0, 0)
        for (position, value) in values.enumerated() where value > 0 {
            drawn = position
            sum += value
            if sum > threshold { break }
        }
        return drawn
    }

    /// For each row the nearest centre, of equally near ones the first, and the squared distance.
    static func nearest(
        rows: [Float], centres: [Float], dimension: Int
    ) -> [(centre: Int, distance: Double)] {
        rows.withUnsafeBufferPointer { rows in
            centres.withUnsafeBufferPointer { centres in
                guard let rowBase = rows.baseAddress, let centreBase = centres.baseAddress else { return [] }
                return stride(from: 0, to: rows.count, by: dimension).map { row in
                    var best = (centre: 0, distance: Double.infinity)
                    for centre in 0..<(centres.count / dimension) {
                        let distance = Vectors.squaredDistance(
                            rowBase + row, centreBase + centre * dimension, count: dimension)
                        if distance < best.distance { best = (centre, distance) }
                    }
                    return best
                }
            }
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct SplitMix64 {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// In [0, 1), 53 bits.
    mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }
}
