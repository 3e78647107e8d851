import Compute
import Recommendation

/// Validation samples that can be searched by cosine similarity.
struct Neighbourhood: Hashable, Sendable {
    let dimension: Int
    /// Positions, in the arrays given, of the samples sorted by id.
    let order: [Int]
    /// `[samples, dimension]`, sorted by id, each row of length one.
    private let rows: [Float]

    var count: Int { order.count }

    /// - Throws: `UnlearningError.wrongShape`, `.notFinite`, `.duplicateSample`.
    init(ids: [String], embeddings: [Float], dimension: Int) throws {
        try Vectors.check(embeddings, what: "the embeddings", rows: ids.count, dimension: dimension)
        order = ids.indices.sorted { ids[$0] < ids[$1] }
        for (one, next) in zip(order, order.dropFirst()) where ids[one] == ids[next] {
            throw UnlearningError.duplicateSample(id: ids[one])
        }
        self.dimension = dimension
        let sorted = order.flatMap { embeddings[($0 * dimension)..<(($0 + 1) * dimension)] }
        rows = Vectors.normalised(sorted, dimension: dimension)
    }

    /// A sample's normalised embedding.
    func row(_ sample: Int) -> [Float] { Array(rows[(sample * dimension)..<((sample + 1) * dimension)]) }

    /// The samples most similar to a normalised query, most similar first, of equally similar ones the first by id.
    ///
    /// - Parameter excluded: a sample that does not count.
    func nearest(to query: [Float], count: Int, excluding excluded: Int? = nil) -> [Int] {
        var best: [(sample: Int, similarity: Float)] = []
        best.reserveCapacity(min(count, self.count) + 1)
        for sample in 0..<self.count where sample != excluded {
            let similarity = Vectors.dot(query, rows, row: sample, dimension: dimension)
            if best.count == count, let worst = best.last, similarity <= worst.similarity { continue }
            // Behind all that are at least as similar: they come first by id.
            let position = best.partitioningIndex { $0.similarity < similarity }
            best.insert((sample, similarity), at: position)
            if best.count > count { best.removeLast() }
        }
        return best.map(\.sample)
    }
}
