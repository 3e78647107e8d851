import Experiments
import Foundation
import TrainingTestSupport
import Unlearning

/// The loss of matrix factorisation and LightGCN as the papers write it, in 64 bits, with dense matrices: what the fast one
/// is measured by.
struct GraphDefinition {
    let loss: GraphLoss
    /// (1/(layers + 1))·Σ_l Â^l, `[nodes, nodes]`.
    private let propagation: [Double]
    private let nodes: Int

    init(_ loss: GraphLoss) {
        let (users, nodes) = (loss.graph.users, loss.graph.nodes)
        var adjacency = [Double](repeating: 0, count: nodes * nodes)
        for sample in loss.samples where sample.label {
            adjacency[sample.user * nodes + users + sample.item] = 1
            adjacency[(users + sample.item) * nodes + sample.user] = 1
        }
        let degrees = (0..<nodes).map { node in (0..<nodes).reduce(0.0) { $0 + adjacency[node * nodes + $1] } }
        for row in 0..<nodes {
            for column in 0..<nodes where adjacency[row * nodes + column] > 0 {
                adjacency[row * nodes + column] = 1 / (degrees[row] * degrees[column]).squareRoot()
            }
        }
        var power = (0..<(nodes * nodes)).map { $0 / nodes == $0 % nodes ? 1.0 : 0 }
        var sum = power
        for _ in 0..<loss.configuration.layers {
            power = Self.multiply(adjacency, power, nodes, nodes)
            for index in sum.indices { sum[index] += power[index] }
        }
        propagation = sum.map { $0 / Double(loss.configuration.layers + 1) }
        self.nodes = nodes
        self.loss = loss
    }

    private static func multiply(_ a: [Double], _ b: [Double], _ inner: Int, _ columns: Int) -> [Double] {
        var result = [Double](repeating: 0, count: a.count / inner * columns)
        for row in 0..<(a.count / inner) {
            for index in 0..<inner where a[row * inner + index] != 0 {
                for column in 0..<columns {
                    result[row * columns + column] += a[row * inner + index] * b[index * columns + column]
                }
            }
        }
        return result
    }

    private func propagated(_ table: [Double]) -> [Double] {
        Self.multiply(propagation, table, nodes, loss.configuration.width)
    }

    private func score(_ z: [Double], _ sample: GraphSample) -> Double {
        let width = loss.configuration.width
        return (0..<width).reduce(0) {
            $0 + z[sample.user * width + $1] * z[(loss.graph.users + sample.item) * width + $1]
        }
    }

    func value(_ table: [Double]) -> Double {
        let z = propagated(table)
        let sum = loss.samples.reduce(0.0) { $0 + log(1 + exp($1.label ? -score(z, $1) : score(z, $1))) }
        return sum / Double(loss.samples.count)
            + 0.5 * loss.configuration.regularisation * table.reduce(0) { $0 + $1 * $1 }
    }

    /// Σ ∇ℓ over some samples, all of them if none are named.
    func sum(_ table: [Double], over positions: [Int]? = nil) -> [Double] {
        let (z, width) = (propagated(table), loss.configuration.width)
        var gradient = [Double](repeating: 0, count: table.count)
        for position in positions ?? Array(loss.samples.indices) {
            let sample = loss.samples[position]
            let (user, item) = (sample.user * width, (loss.graph.users + sample.item) * width)
            let slope = 1 / (1 + exp(-score(z, sample))) - (sample.label ? 1 : 0)
            for index in 0..<width {
                gradient[user + index] += slope * z[item + index]
                gradient[item + index] += slope * z[user + index]
            }
        }
        return propagated(gradient)
    }

    func gradient(_ table: [Double]) -> [Double] {
        zip(sum(table), table).map { $0 / Double(loss.samples.count) + loss.configuration.regularisation * $1 }
    }
}
