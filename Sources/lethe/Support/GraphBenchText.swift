import Experiments
import Unlearning

/// The table of `lethe bench graph`: means over the runs.
func graphText(_ runs: [GraphReport], settings: GraphExperiment.Settings) -> String {
    guard let first = runs.first else { return "" }
    func mean(_ value: (GraphReport) -> Double) -> Double {
        runs.reduce(0) { $0 + value($1) } / Double(runs.count)
    }
    func optional(_ value: (GraphReport) -> Double?) -> String {
        let values = runs.compactMap(value)
        return values.isEmpty ? "–" : decimal(values.reduce(0, +) / Double(values.count))
    }
    let retraining = mean(\.secondsRetraining)
    func qualities(_ quality: (GraphReport) -> GraphReport.Quality) -> [String] {
        [
            optional { quality($0).aucTest }, optional { quality($0).aucTouched },
            optional { quality($0).aucForgotten }, decimal(mean { quality($0).distanceTest }, 5),
            decimal(mean { quality($0).distanceTouched }, 5), decimal(mean { quality($0).distanceForgotten }, 4),
            decimal(mean { quality($0).parameterDistance }, 4),
        ]
    }
    var rows = [
        [
            "", "nodes", "λ", "products", "seconds", "ratio", "AUC test", "touched", "forgotten", "distance test",
            "touched", "forgotten", "parameters",
        ]
    ]
    rows.append(["original", "", "", "", "", ""] + qualities(\.original))
    rows.append(["retrained", "", "", "", decimal(retraining, 2), "1"] + qualities(\.retrained))
    for index in first.corrections.indices {
        let one = first.corrections[index]
        let seconds = mean { $0.corrections[index].seconds }
        var name = one.pruning == 1 ? "touched nodes only" : "pruning \(decimal(one.pruning * 100, 0)) %"
        if settings.model.layers > 0 {
            name += one.reach == .whole ? "" : ", among themselves"
            name += one.spillover ? "" : ", no spillover"
        }
        rows.append(
            [
                name, decimal(mean { Double($0.corrections[index].updatedNodes) }, 0),
                decimal(mean { $0.corrections[index].damping }, 2),
                decimal(mean { Double($0.corrections[index].products) }, 0)
                    + (runs.contains { $0.corrections[index].usedGaussNewton } ? " GN" : ""),
                decimal(seconds, 5), decimal(retraining / seconds, 0),
            ] + qualities { $0.corrections[index].quality })
    }
    let kind = settings.model.layers == 0 ? "matrix factorisation" : "LightGCN, \(settings.model.layers) layers"
    let rule =
        settings.damping == nil
        ? "chosen by the gradient that a rehearsal leaves (\(decimal(mean(\.secondsDamping), 1)) s, once for a kind of request)"
        : "given"
    return """
        \(kind), width \(settings.model.width): \(first.users) users, \(first.items) items, \
        \(first.trainingSamples) training and \(first.testSamples) test samples; \(settings.forgetting.text) forgets \
        \(decimal(mean { Double($0.forgottenSamples) }, 0)) and touches \
        \(decimal(mean { Double($0.touchedTestSamples) }, 0)) test samples; \
        \(runs.count == 1 ? "one seed" : "means of \(runs.count) seeds")
        \(table(rows))
        λ in units of one sample's loss, \(rule); GN: the Gauss–Newton matrix took the place of an indefinite Hessian.
        Prepared once for a trained model, before any request, and not in the seconds: \
        \(decimal(mean(\.secondsPreparation), 2)) s. Training: \(decimal(mean(\.secondsTraining), 2)) s.
        Approximate: every line but "retrained" is a correction, not a model that never saw the data.
        """
}
