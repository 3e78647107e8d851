import Messages

/// What an evaluation scored before the data or adapters changed: margins by model and prompt. A margin is a pure function of
/// both, so it holds for as long as they are there. An adapter that was taken away takes its margins along.
struct KeptScores: Sendable {
    /// Names what weighs in a series.
    struct Key: Hashable, Sendable {
        var model: EvaluationScores.Series.Model
        /// Of an aggregate with equal weights: those of its adapters.
        var adapters: [String]
    }

    struct Series: Sendable {
        /// By prompt digest.
        var margins: [String: Float]
        var tokens: Int
        var seconds: Double
    }

    private var series: [Key: Series] = [:]
    private(set) var single: EvaluationScoring.Single?

    init(_ scoring: EvaluationScoring) {
        single = scoring.single
        for scored in scoring.series {
            guard let key = Self.key(of: scored.model, in: scoring) else { continue }
            var margins: [String: Float] = [:]
            for position in scored.margins.indices where scored.isScored[position] {
                margins[scoring.digests[position]] = scored.margins[position]
            }
            if !margins.isEmpty {
                series[key] = Series(margins: margins, tokens: scored.tokens, seconds: scored.seconds)
            }
        }
    }

    /// What rests on anything but these adapters and this training data goes.
    mutating func drop(allBut adapters: Set<String>, basis: [String]) {
        if single?.basis != basis { single = nil }
        let left = single?.report.adapter
        series = series.filter { key, _ in
            switch key.model {
            case .base: true
            case .adapter(_, let name): adapters.contains(name)
            case .single(let name): name == left
            case .aggregate: key.adapters.allSatisfy(adapters.contains)
            }
        }
    }

    /// nil: weighed by attention, which rests on more than adapters and prompts.
    private static func key(of model: EvaluationScores.Series.Model, in scoring: EvaluationScoring) -> Key? {
        switch model {
        case .base, .adapter, .single: Key(model: model, adapters: [])
        case .aggregate(_, nil): Key(model: model, adapters: scoring.adapters.map(\.name))
        case .aggregate(_, .some) where scoring.attentions.isEmpty:
            Key(model: model, adapters: scoring.adapters.map(\.name))
        case .aggregate: nil
        }
    }

    /// What is known of the model in another scoring.
    func series(of model: EvaluationScores.Series.Model, in scoring: EvaluationScoring) -> Series? {
        Self.key(of: model, in: scoring).flatMap { series[$0] }
    }
}
