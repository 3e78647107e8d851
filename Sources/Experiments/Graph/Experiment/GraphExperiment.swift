import Compute
import Foundation
import Recommendation
import Unlearning

/// Trains a matrix factorisation or a LightGCN, forgets, retrains, and compares IFRU's corrections with the retrained model
/// (arXiv 2307.02147).
///
/// The damping is chosen without a test label and without the request: on a rehearsal, a request of the same kind and size
/// drawn among the samples that stay. A correction that were exact would leave the gradient of the retained loss as the
/// training left that of the whole loss (zero, if it had converged); the λ that comes nearest to this is taken.
public struct GraphExperiment: Sendable {
    public struct Settings: Codable, Hashable, Sendable {
        /// `regularisation` is replaced by ρ/N, see `regularisation`; the seed by the run's.
        public var model: GraphConfiguration
        /// ρ in Σ BCE + ½·ρ·‖E‖²: in units of one sample's loss, so that it suits data of any size.
        public var regularisation: Double
        public var forgetting: GraphForgetting
        public var testShare: Double
        public var prunings: [Double]
        /// λ·N; nil chooses it.
        public var damping: Double?
        public var tolerance: Double
        public var maximumProducts: Int
        public var threads: Int

        public init(
            model: GraphConfiguration, regularisation: Double = 1, forgetting: GraphForgetting, testShare: Double = 0.2,
            prunings: [Double] = [0, 0.4, 0.8, 1], damping: Double? = nil, tolerance: Double = 1e-2,
            maximumProducts: Int = 200, threads: Int = 1
        ) {
            self.model = model
            self.regularisation = regularisation
            self.forgetting = forgetting
            self.testShare = testShare
            self.prunings = prunings
            self.damping = damping
            self.tolerance = tolerance
            self.maximumProducts = maximumProducts
            self.threads = threads
        }
    }

    /// Candidates for λ·N.
    package static let dampings = [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100]

    public var settings: Settings

    public init(_ settings: Settings) { self.settings = settings }

    /// - Throws: `UnlearningError`, `ApproximateError`.
    public func run(_ data: GraphData, seed: UInt64, progress: (String) -> Void = { _ in }) throws -> GraphReport {
        guard settings.testShare > 0, settings.testShare < 1, settings.regularisation >= 0 else {
            throw UnlearningError.invalidSpecification(
                reason: "the test share must lie between 0 and 1, the regularisation not below 0")
        }
        var (training, test) = split(data.samples, seed: seed)
        func choose(_ use: UInt64, without excluded: [Int]) throws -> [Int] {
            try settings.forgetting.chosen(
                from: training, users: data.users, seed: seed, use: use, excluded: excluded)
        }
        let forgotten = try choose(1, without: [])
        if settings.forgetting.kind == .noise {
            for position in forgotten { training[position].label.toggle() }
        }
        var model = settings.model
        model.seed = seed
        model.regularisation = settings.regularisation / Double(max(training.count, 1))
        let loss = try GraphLoss(users: data.users, items: data.items, samples: training, configuration: model)
        progress("training on \(training.count) samples")
        var table: [Float] = []
        let secondsTraining = try timed { table = try loss.trained(threads: settings.threads) }
        progress("retraining without \(forgotten.count)")
        var (after, retrained) = (loss, [Float]())
        let secondsRetraining = try timed {
            after = try loss.without(forgotten)
            retrained = try after.trained(threads: settings.threads)
        }
        var prepared: GraphPreparation?
        let secondsPreparation = try timed {
            prepared = try GraphPreparation(loss: loss, table: table, threads: settings.threads)
        }
        guard let preparation = prepared else { throw UnlearningError.noSamples }
        let measure = GraphMeasure(
            after: after, retrained: retrained, test: test, forgotten: forgotten.map { training[$0] })
        let rehearsal = settings.damping == nil ? try choose(2, without: forgotten) : []
        let left = rehearsal.isEmpty ? nil : try loss.without(rehearsal)
        var report = GraphReport(
            seed: seed, users: data.users, items: data.items, trainingSamples: training.count,
            forgottenSamples: forgotten.count, testSamples: test.count, touchedTestSamples: measure.touchedSamples,
            secondsTraining: secondsTraining, secondsRetraining: secondsRetraining,
            secondsPreparation: secondsPreparation, secondsDamping: 0, original: measure.quality(of: table),
            retrained: measure.quality(of: retrained), corrections: [])
        for configuration in configurations(samples: training.count) {
            var configuration = configuration
            progress("pruning \(configuration.pruning), \(configuration.reach.rawValue)")
            if let left {
                report.secondsDamping += try timed {
                    configuration.damping = try damping(preparation, rehearsal, left, configuration)
                }
            }
            report.corrections.append(try correction(preparation, forgotten, configuration, measure))
        }
        return report
    }

    /// Test samples by a hash of their position.
    private func split(_ samples: [GraphSample], seed: UInt64) -> (training: [GraphSample], test: [GraphSample]) {
        let generator = CounterGenerator(seed: seed, path: [0x73_706C_6974])
        var (training, test): ([GraphSample], [GraphSample]) = ([], [])
        for (position, sample) in samples.enumerated() {
            if Double(generator.uniform(at: position)) < settings.testShare {
                test.append(sample)
            } else {
                training.append(sample)
            }
        }
        return (training, test)
    }

    /// With and without spillover, by pruning; where only some nodes change, by the whole Hessian and by theirs.
    private func configurations(samples: Int) -> [GraphInfluence.Configuration] {
        let hasGraph = settings.model.layers > 0
        return (hasGraph ? [true, false] : [true]).flatMap { spillover in
            settings.prunings.flatMap { pruning in
                // Without propagation both reaches solve the same system.
                let reaches: [GraphInfluence.Reach] =
                    pruning == 0 ? [.whole] : hasGraph ? [.whole, .updated] : [.updated]
                return reaches.map { reach in
                    GraphInfluence.Configuration(
                        damping: (settings.damping ?? 1) / Double(samples), spillover: spillover, pruning: pruning,
                        reach: reach, tolerance: settings.tolerance, maximumProducts: settings.maximumProducts)
                }
            }
        }
    }

    private func damping(
        _ preparation: GraphPreparation, _ rehearsal: [Int], _ left: GraphLoss,
        _ configuration: GraphInfluence.Configuration
    ) throws -> Double {
        let wanted = preparation.loss.gradient(preparation.table, threads: settings.threads)
        var best = (distance: Double.infinity, damping: configuration.damping)
        for candidate in Self.dampings.reversed() {
            var trial = configuration
            trial.damping = candidate / Double(preparation.loss.samples.count)
            let correction = try GraphInfluence.unlearn(preparation, forgotten: rehearsal, configuration: trial)
            let found = left.gradient(correction.table, threads: settings.threads)
            let distance = zip(found, wanted).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
            if distance < best.distance { best = (distance, trial.damping) }
        }
        return best.damping
    }

    private func correction(
        _ preparation: GraphPreparation, _ forgotten: [Int], _ configuration: GraphInfluence.Configuration,
        _ measure: GraphMeasure
    ) throws -> GraphReport.Correction {
        let correction = try GraphInfluence.unlearn(preparation, forgotten: forgotten, configuration: configuration)
        // Short ones again: the median of five.
        var seconds = [correction.seconds]
        while seconds.count < 5, correction.seconds < 0.2 {
            seconds.append(
                try GraphInfluence.unlearn(preparation, forgotten: forgotten, configuration: configuration).seconds)
        }
        return GraphReport.Correction(
            spillover: configuration.spillover, pruning: configuration.pruning, reach: configuration.reach,
            damping: configuration.damping * Double(preparation.loss.samples.count),
            updatedNodes: correction.updatedNodes, products: correction.products, residual: correction.residual,
            usedGaussNewton: correction.usedGaussNewton, seconds: seconds.sorted()[seconds.count / 2],
            quality: measure.quality(of: correction.table))
    }
}

private func timed(_ body: () throws -> Void) rethrows -> Double {
    try ContinuousClock().measure(body) / .seconds(1)
}
