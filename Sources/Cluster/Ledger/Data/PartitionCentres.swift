/// What a data-dependent partition deals newcomers to: one centre a shard, of which some may be given up.
struct PartitionCentres {
    /// `[shards, dimension]`; not a number where a centre is given up.
    private(set) var values: [Float]
    let dimension: Int

    /// nil: nobody could be dealt to them.
    init?(_ values: [Float], dimension: Int) {
        guard dimension > 0, values.count.isMultiple(of: dimension) else { return nil }
        (self.values, self.dimension) = (values, dimension)
        let left = (0..<count).filter { !isGivenUp($0) }
        guard !left.isEmpty, left.allSatisfy({ self[$0].allSatisfy(\.isFinite) }) else { return nil }
    }

    var count: Int { values.count / dimension }

    subscript(_ centre: Int) -> ArraySlice<Float> { values[centre * dimension..<(centre + 1) * dimension] }

    func isGivenUp(_ centre: Int) -> Bool { self[centre].allSatisfy(\.isNaN) }

    /// - Returns: nil: none is left.
    func givingUp(_ centres: [Int]) -> PartitionCentres? {
        var values = values
        for centre in centres where (0..<count).contains(centre) {
            for index in centre * dimension..<(centre + 1) * dimension { values[index] = .nan }
        }
        return PartitionCentres(values, dimension: dimension)
    }

    /// In the place of those that are given up stands the mean of the others. It is written down nowhere: it would outlast them,
    /// and they could be computed from it.
    var dealtTo: [Float] {
        let left = (0..<count).filter { !isGivenUp($0) }
        guard left.count < count else { return values }
        var sums = [Double](repeating: 0, count: dimension)
        for centre in left { for (index, value) in self[centre].enumerated() { sums[index] += Double(value) } }
        let mean = sums.map { Float($0 / Double(left.count)) }
        return (0..<count).flatMap { isGivenUp($0) ? mean[...] : self[$0] }
    }
}
