import Recommendation

/// Compares tables of embeddings with the retrained one, by the graph that is left.
struct GraphMeasure {
    private let after: GraphLoss
    private let retrained: [Float]
    private let test: [GraphSample]
    private let forgotten: [GraphSample]
    private let isTouched: [Bool]
    private let testReference: [Float]
    private let forgottenReference: [Float]

    var touchedSamples: Int { isTouched.count { $0 } }

    init(after: GraphLoss, retrained: [Float], test: [GraphSample], forgotten: [GraphSample]) {
        var (users, items) = (
            [Bool](repeating: false, count: after.graph.users), [Bool](repeating: false, count: after.graph.items)
        )
        for sample in forgotten {
            users[sample.user] = true
            items[sample.item] = true
        }
        self.after = after
        self.retrained = retrained
        self.test = test
        self.forgotten = forgotten
        isTouched = test.map { users[$0.user] || items[$0.item] }
        testReference = after.scores(retrained, of: test)
        forgottenReference = after.scores(retrained, of: forgotten)
    }

    func quality(of table: [Float]) -> GraphReport.Quality {
        let scores = after.scores(table, of: test)
        let forgottenScores = after.scores(table, of: forgotten)
        let touched = test.indices.filter { isTouched[$0] }
        func auc(_ scores: [Float], _ samples: [GraphSample]) -> Double? {
            Metrics(margins: scores, labels: samples.map(\.label)).auc
        }
        return GraphReport.Quality(
            aucTest: auc(scores, test), aucTouched: auc(touched.map { scores[$0] }, touched.map { test[$0] }),
            aucForgotten: auc(forgottenScores, forgotten), distanceTest: distance(scores, testReference),
            distanceTouched: distance(touched.map { scores[$0] }, touched.map { testReference[$0] }),
            distanceForgotten: distance(forgottenScores, forgottenReference),
            parameterDistance: zip(table, retrained).reduce(0.0) {
                $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1))
            }.squareRoot())
    }

    private func distance(_ scores: [Float], _ reference: [Float]) -> Double {
        guard !scores.isEmpty else { return 0 }
        let sum = zip(scores, reference).reduce(0.0) {
            $0 + abs(Metrics.probability(margin: Double($1.0)) - Metrics.probability(margin: Double($1.1)))
        }
        return sum / Double(scores.count)
    }
}
