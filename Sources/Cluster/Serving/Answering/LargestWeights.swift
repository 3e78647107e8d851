/// Which of many adapters are computed: those with the largest weights, until they carry 99 % of a query's weight.
///
/// Each adapter costs about as much as another; far from the query's neighbourhood its weight is next to nothing. Up to 16 all are
/// computed.
package enum LargestWeights {
    /// Adapters of which none is left out.
    package static let most = 16
    package static let share = 0.99

    /// Of equal weights those of the shards that come first are kept. What is kept adds up to one.
    ///
    /// - `weights`: `[queries, members]`, row by row, each adding up to one.
    /// - Returns: the same with zeros for what is left out, and how much of its weight each query lost.
    package static func chosen(_ weights: [Float], members: Int) -> (weights: [Float], leftOut: [Double]) {
        guard members > most else {
            return (weights, [Double](repeating: 0, count: members > 0 ? weights.count / members : 0))
        }
        var (chosen, leftOut) = (weights, [Double]())
        for start in stride(from: 0, to: weights.count, by: members) {
            let row = weights[start..<min(start + members, weights.count)]
            let order = row.indices.sorted { (-row[$0], $0) < (-row[$1], $1) }
            var (kept, count) = (0.0, 0)
            while kept < share, count < order.count {
                kept += Double(row[order[count]])
                count += 1
            }
            for index in order[..<count] where kept > 0 { chosen[index] = Float(Double(row[index]) / kept) }
            for index in order[count...] { chosen[index] = 0 }
            leftOut.append(order[count...].reduce(0) { $0 + Double(row[$1]) })
        }
        return (chosen, leftOut)
    }

    /// Members that are computed: of many those with a weight in some row.
    static func used(_ weights: [Float], members: Int) -> [Int] {
        guard members > most else { return Array(0..<members) }
        return (0..<members).filter { member in
            stride(from: member, to: weights.count, by: members).contains { weights[$0] != 0 }
        }
    }
}
