import LanguageModels
import Recommendation

/// A request as a combination of rows, solved at once: of those of the preparation, and of fresh ones, of prompts that it does not
/// have. What a calibrated refit and an interpolation have in common.
protocol InfluenceRows {
    associatedtype Solution: InfluenceRowSolution

    var preparation: InfluencePreparation { get }
    /// Rows that the preparation does not have.
    var fresh: InfluenceMatrix { get }

    /// How many of those a request needs.
    ///
    /// - `kept`: the rebuilt prompts that count.
    static func freshCount(
        of named: NamedPrompts, rebuilt kept: [NamedPrompts.Rebuilt], added: [TokenizedPrompt]
    ) -> Int

    /// - `kept`: the rebuilt prompts that count; the others are taken to be as they were.
    init(
        _ work: InfluenceCorrection, of named: NamedPrompts, rebuilt kept: [NamedPrompts.Rebuilt],
        added: [TokenizedPrompt], report: inout IFRUReport
    ) throws
}

/// What the adapter is moved by, in terms of the rows.
protocol InfluenceRowSolution {
    /// Of the rows, then of the fresh rows.
    var coefficients: [Double] { get }
    /// By how much the rows' margins change, to first order.
    var marginChanges: [Double] { get }
}

extension InfluenceRows {
    /// The corrected factors.
    func values(_ solution: Solution, from adapter: Adapter) -> [Float] {
        let count = preparation.referenceCount
        let added = fresh.count == 0 ? nil : fresh.combination(Array(solution.coefficients[count...]))
        let move = preparation.rows.combination(Array(solution.coefficients[..<count]), adding: added)
        return zip(adapter.values, move).map(+)
    }
}

extension InfluenceCorrection {
    /// Where the preparation was calibrated to this and the configuration asks for what was prepared.
    func prepared(_ solution: InfluenceCalibration.Solution) -> InfluenceCalibration? {
        guard configuration.damping == .prepared, let known = preparation.calibration, known.solution == solution else {
            return nil
        }
        return known
    }

    /// A request's rows, before anything is solved.
    ///
    /// - Throws: `ApproximateError.preparationTooLarge` where the fresh ones take more than `memoryLimit`; what the model throws.
    func rows<Rows: InfluenceRows>(
        _ type: Rows.Type, of named: NamedPrompts, report: inout IFRUReport
    ) throws -> Rows {
        let kept = configuration.spillover ? try important(named.rebuilt, report: &report) : []
        let added = configuration.spillover ? named.added : []
        try requireRoom(for: Rows.freshCount(of: named, rebuilt: kept, added: added))
        return try Rows(self, of: named, rebuilt: kept, added: added, report: &report)
    }

    /// Before the first backward pass: what so many fresh rows take, and the products of all rows, which are held anew with them.
    private func requireRoom(for fresh: Int) throws(ApproximateError) {
        guard fresh > 0 else { return }
        let all = Double(preparation.referenceCount + fresh)
        let bytes = Double(fresh) * Double(preparation.parameters) * 4 + all * all * 8
        guard bytes <= Double(memoryLimit) else {
            throw .preparationTooLarge(bytes: Int(exactly: bytes.rounded()) ?? .max, limit: memoryLimit)
        }
    }

    /// Notes what a solution is predicted to do to what stays.
    ///
    /// - Returns: the probes whose answers it moves most.
    func judge(
        _ changes: [Double], retainedRows: [Int], probes: [(row: Int, prompt: TrainingPrompt)],
        report: inout IFRUReport
    ) -> [(row: Int, prompt: TrainingPrompt)] {
        report.solving.steps += 1
        report.predictedDivergence = divergence(changes, scale: 1, rows: retainedRows)
        report.isWithinTolerance = report.predictedDivergence <= configuration.divergenceCap
        return mostMoved(probes, by: changes)
    }

    /// Mean Jensen–Shannon divergence, in nats, of answers with these margins to those that they should be.
    func distance(_ margins: some Sequence<Double>, to targets: [(row: Int, margin: Double)]) -> Double {
        zip(margins, targets).reduce(0.0) { $0 + AnswerDivergence.jensenShannon($1.0, $1.1.margin) }
            / Double(targets.count)
    }

    /// Whether answers with these margins are, on average, as near to what they were as the cap wants.
    func isWithinCap(_ margins: some Sequence<Double>, of probes: [(row: Int, prompt: TrainingPrompt)]) -> Bool {
        let moved = zip(margins, probes).reduce(0.0) {
            $0 + AnswerDivergence.kullbackLeibler(Double(preparation.margins[$1.1.row]), $1.0)
        }
        return moved <= configuration.divergenceCap * Double(max(1, probes.count))
    }
}
