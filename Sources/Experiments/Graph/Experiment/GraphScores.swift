import Unlearning

/// A matrix factorisation or a LightGCN trained on all there is, as a recommender: the baseline of a language model.
public struct GraphScores: Sendable {
    private let data: GraphData
    private let loss: GraphLoss
    private let table: [Float]

    /// - `regularisation`: ρ in Σ BCE + ½·ρ·‖E‖², as `GraphExperiment.Settings` has it.
    /// - Throws: `UnlearningError.noSamples`, `.invalidSpecification`, `.notFinite`.
    public init(
        _ data: GraphData, model: GraphConfiguration, regularisation: Double, seed: UInt64, threads: Int
    ) throws {
        var model = model
        model.seed = seed
        model.regularisation = regularisation / Double(max(data.samples.count, 1))
        self.data = data
        loss = try GraphLoss(users: data.users, items: data.items, samples: data.samples, configuration: model)
        table = try loss.trained(threads: threads)
    }

    /// z_u·z_i of each pair of names, the logit of a like; nil where the data knows the user or the item not.
    public func margins(of pairs: [(user: String, item: String)]) -> [Float?] {
        let numbers = pairs.map { pair -> GraphSample? in
            guard let user = data.userNumbers[pair.user], let item = data.itemNumbers[pair.item] else { return nil }
            return GraphSample(user: user, item: item, label: true)
        }
        var scores = loss.scores(table, of: numbers.compactMap { $0 }).makeIterator()
        return numbers.map { $0 == nil ? nil : scores.next() }
    }
}
