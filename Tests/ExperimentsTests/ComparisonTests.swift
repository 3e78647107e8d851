import Experiments
import Foundation
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Comparing unlearning methods")
struct ComparisonTests {
    private func options(_ kinds: [ForgetKind], methods: [ComparisonMethod] = ComparisonMethod.allCases)
        -> ComparisonOptions
    {
        ComparisonOptions(forget: kinds, seeds: 1, methods: methods, sequence: 0)
    }

    @Test("Every method gets a row with finite numbers; Retrain has no distance to itself and the original has one")
    func rows() throws {
        let shop = try ComparisonShop()
        let made = try #require(try shop.cases(options([ForgetKind(.users, 20), ForgetKind(.interaction, 1)])).first)
        let report = try ComparisonShop.run(made)
        #expect(report.rows.count == 2 * ComparisonMethod.allCases.count)
        #expect(report.rows.allSatisfy { $0.failure == nil }, "\(report.rows.compactMap(\.failure))")
        #expect(report.isFinite)
        for row in report.rows where row.method == .retrain {
            #expect(row.completeness?.divergence.jensenShannon == 0 && row.completeness?.divergence.euclidean == 0)
            #expect(row.effort?.speedup == 1)
        }
        let again = try #require(report.row(.retrainAgain)?.completeness)
        #expect(again.divergence.jensenShannon ?? 0 > 0)
        let original = try #require(report.row(.original))
        #expect(original.completeness?.divergence.jensenShannon ?? 0 > 0)
        #expect(original.effort?.request == PhaseCost() && original.effort?.speedup == nil)
        // Preparation is beside the request, not in it.
        let ifru = try #require(report.row(.ifru)?.effort)
        #expect(ifru.preparation.trainedTokens > 0 && ifru.request.trainedTokens < ifru.training.trainedTokens / 10)
        // Spillover happens where histories change.
        #expect(report.rows.filter { $0.kind.target == .users }.allSatisfy { $0.utility?.spillover.count == 0 })
        #expect(report.rows.filter { $0.kind.target == .users }.allSatisfy { $0.rebuilt == 0 })
    }

    @Test("Times apart, a comparison is a pure function of its case")
    func deterministic() throws {
        let shop = try ComparisonShop()
        let options = ComparisonOptions(forget: [ForgetKind(.users, 20)], seeds: 1, sequence: 2)
        let made = try #require(try shop.cases(options).first)
        let report = try ComparisonShop.run(made).withoutTimes
        let again = try ComparisonShop.run(made).withoutTimes
        #expect(report == again)
        var shuffled = made
        shuffled.training.reverse()
        shuffled.test.reverse()
        let other = try ComparisonShop.run(shuffled).withoutTimes
        #expect(report == other)
    }

    @Test("On one shard APA is Retrain, bit for bit", arguments: PartitionMethod.allCases)
    func oneShard(_ partition: PartitionMethod) throws {
        let shop = try ComparisonShop()
        let made = try #require(
            try shop.cases(
                options([ForgetKind(.users, 20)], methods: [.sisa, .recEraser, .apaD, .apaND]),
                settings: ComparisonShop.settings(shards: 1, partition: partition)
            ).first)
        let report = try ComparisonShop.run(made)
        let retrain = try #require(report.row(.retrain))
        for method in [ComparisonMethod.sisa, .recEraser, .apaD, .apaND] {
            let row = try #require(report.row(method))
            #expect(row.completeness == retrain.completeness && row.utility == retrain.utility)
            #expect(row.effort?.request.trainedTokens == retrain.effort?.request.trainedTokens)
        }
    }

    @Test("A partition by user retrains fewer shards for one user than a partition by prompt")
    func touchedShards() throws {
        let shop = try ComparisonShop()
        let made = try #require(
            try shop.cases(options([ForgetKind(.user, 1)], methods: [.sisa, .recEraser])).first)
        let report = try ComparisonShop.run(made)
        let (sisa, eraser) = (try #require(report.row(.sisa)?.effort), try #require(report.row(.recEraser)?.effort))
        let one = try #require(report.row(.retrain)?.effort?.parameters)
        #expect(eraser.parameters == one && sisa.parameters > one)
        #expect(eraser.request.trainedTokens < sisa.request.trainedTokens)
    }

    /// A request that rebuilds one prompt and deletes none.
    private func rebuildingOnly(_ made: ComparisonCase) throws -> ComparisonCase {
        var made = made
        var changed = try #require(made.training.first)
        changed.prompt.input += " CCCC"
        made.batches = [
            ForgetBatch(
                kind: ForgetKind(.interaction, 1), index: 0, interactions: 1,
                training: SplitChanges(replaced: [.init(new: changed, forgottenShare: 0.1)]))
        ]
        return made
    }

    @Test("A method that does nothing stays as far from Retrain as the original; all others get rebuilt prompts, too")
    func rebuilt() throws {
        let shop = try ComparisonShop()
        let made = try rebuildingOnly(
            #require(try shop.cases(options([ForgetKind(.users, 20)])).first))
        let report = try ComparisonShop.run(made)
        let original = try #require(report.row(.original))
        #expect(report.row(.ifruDirect)?.completeness == original.completeness)
        #expect(report.row(.ifruDirect)?.utility == original.utility)
        for method in [
            ComparisonMethod.gradientAscent, .negativeDivergence, .badTeacher, .negativePreference, .e2urec, .ifru,
        ] {
            let row = try #require(report.row(method))
            #expect(row.failure == nil && row.completeness != original.completeness, "\(method) \(row.failure ?? "")")
        }
        for row in report.rows {
            #expect(row.forgotten == 0 && row.rebuilt == 1)
            #expect(row.completeness?.deleted == nil && row.completeness?.rebuilt == row.completeness?.divergence)
        }
        #expect(report.parts?.map(\.part) == [.rebuilt] && report.parts?.first?.prompts == 1)
        #expect(report.parts?.first?.means == report.paired?.first?.means)
    }

    @Test("A correction that a cluster would not publish is shown as it is, marked, in a row and in a sequence")
    func refused() throws {
        let shop = try ComparisonShop()
        var settings = ComparisonShop.settings()
        settings.ifru.tolerance = 1e-12
        let options = ComparisonOptions(
            forget: [ForgetKind(.users, 20)], seeds: 1, methods: [.ifru, .ifruDirect], sequence: 2)
        let report = try ComparisonShop.run(#require(try shop.cases(options, settings: settings).first))
        for method in [ComparisonMethod.ifru, .ifruDirect] {
            let row = try #require(report.row(method))
            #expect(row.refused?.hasPrefix("refused, as in a cluster") == true, "\(row.failure ?? "")")
            #expect(row.failure == nil && row.completeness != nil && row.effort != nil)
        }
        #expect(Set(report.rows.filter { $0.refused != nil }.map(\.method)) == [.ifru, .ifruDirect])
        #expect(report.intervals.contains { $0.method == .ifru })
        let followed = report.sequences.filter { $0.method == .ifru }
        #expect(followed.count == 2)
        #expect(followed.allSatisfy { $0.refused?.hasPrefix("refused") == true && $0.divergence != nil })
        let summary = try #require(report.summaries.first { $0.method == .ifru })
        #expect(summary.failed == 0 && summary.refused == 1 && summary.refusal == report.row(.ifru)?.refused)
        #expect(report.driftSummaries.filter { $0.method == .ifru }.map(\.refused) == [1, 1])
        // Prepared as a worker does, by every prompt.
        #expect(report.cases.map(\.influenceReferences) == [report.cases[0].training])
    }

    @Test("Rows are made anew after as many corrections as in a cluster, and a sequence goes on")
    func freshRows() throws {
        let shop = try ComparisonShop(users: 16)
        let requests = InfluenceSuccessor.correctionsUntilFresh + 1
        let options = ComparisonOptions(
            forget: [ForgetKind(.user, 1)], seeds: 1, methods: [.ifru], sequence: requests)
        var made = try #require(
            try shop.cases(options, settings: ComparisonShop.settings(shards: 1, epochs: 2)).first)
        made.batches = []
        #expect(made.sequence.count == requests)
        let report = try ComparisonShop.run(made)
        let points = report.sequences.filter { $0.method == .ifru }
        #expect(points.allSatisfy { $0.failure == nil }, "\(points.compactMap(\.failure))")
        #expect(points.map(\.requests) == [5, 10, 15, 17])
        let tokens = points.compactMap { $0.preparation?.trainedTokens }
        try #require(tokens.count == 4)
        // The last request is prepared for as the first was: by all prompts, not by those that the one before rebuilt.
        #expect(tokens[3] - tokens[2] > tokens[2] - tokens[1])
    }

    @Test("What several methods need is trained once: the original, Retrain, and shards that they share")
    func trainedOnce() throws {
        let shop = try ComparisonShop()
        let made = try #require(
            try shop.cases(
                options([ForgetKind(.users, 20), ForgetKind(.user, 1)], methods: [.sisa, .apaD, .apaND]),
                settings: ComparisonShop.settings(partition: .hash)
            ).first)
        let model = LetterModel()
        let report = try MethodComparison.run(model: model, tokenizer: ByteTokenizer(), comparison: made)
        // Steps of trainings; margins are computed without a slope.
        let steps = model.slopes.count { $0.contains { $0.yes != 0 } }
        let (original, sisa) = (try #require(report.row(.original)?.effort), try #require(report.row(.sisa)?.effort))
        let requests = report.rows.filter { $0.method == .retrain || $0.method == .sisa }
        let expected = requests.reduce(original.training.steps + sisa.training.steps) {
            $0 + ($1.effort?.request.steps ?? 0)
        }
        #expect(steps == expected)
        // And each method is charged for all of it.
        #expect(report.row(.apaD)?.effort?.training.steps == sisa.training.steps)
    }

    @Test("Exact methods do not drift in a sequence, and every point is measured")
    func sequence() throws {
        let shop = try ComparisonShop()
        let options = ComparisonOptions(forget: [ForgetKind(.user, 1)], seeds: 1, sequence: 6)
        var made = try #require(
            try shop.cases(options, settings: ComparisonShop.settings(shards: 1, partition: .hash)).first)
        made.batches = []
        let report = try ComparisonShop.run(made)
        #expect(report.sequences.allSatisfy { $0.failure == nil }, "\(report.sequences.compactMap(\.failure))")
        #expect(Set(report.sequences.map(\.requests)) == [2, 4, 6])
        #expect(report.sequences.count == 3 * 5)
        for point in report.sequences where [.apaD, .apaND].contains(point.method) {
            #expect(point.divergence?.jensenShannon == 0)
        }
        let last = report.sequences.filter { $0.requests == 6 }
        let original = try #require(last.first { $0.method == .original }?.divergence?.jensenShannon)
        #expect(original > 0)
        let ifru = try #require(last.first { $0.method == .ifru })
        #expect(ifru.preparation?.trainedTokens ?? 0 > 0)
        // Each point's mean has its error over prompts, also with one seed.
        let summary = try #require(report.driftSummaries.first { $0.requests == 6 && $0.method == .original })
        let point = try #require(last.first { $0.method == .original })
        #expect(point.divergence?.count ?? 0 > 1 && point.standardError ?? 0 > 0)
        #expect(summary.distance?.mean == original && summary.distance?.standardError == point.standardError)
    }

    @Test("A report survives JSON, also in snake case")
    func coding() throws {
        let shop = try ComparisonShop()
        let options = ComparisonOptions(forget: [ForgetKind(.users, 20)], seeds: 1, sequence: 1)
        let report = try ComparisonShop.run(try #require(try shop.cases(options).first))
        #expect(!report.attention.isEmpty && !report.sequences.isEmpty && !report.descriptions.isEmpty)
        let plain = try JSONDecoder().decode(ComparisonReport.self, from: JSONEncoder().encode(report))
        #expect(plain == report)
        let (encoder, decoder) = (JSONEncoder(), JSONDecoder())
        encoder.keyEncodingStrategy = .convertToSnakeCase
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let snake = try decoder.decode(ComparisonReport.self, from: encoder.encode(report))
        #expect(snake == report)
    }

    @Test("Progress rises to its end, and a comparison can be stopped at any point")
    func progress() throws {
        let shop = try ComparisonShop()
        let made = try #require(try shop.cases(options([ForgetKind(.users, 20)])).first)
        var seen: [ComparisonProgress] = []
        _ = try MethodComparison.run(model: LetterModel(), tokenizer: ByteTokenizer(), comparison: made) {
            seen.append($0)
        }
        #expect(seen.map(\.step) == seen.map(\.step).sorted())
        let rows = ComparisonMethod.allCases.count
        #expect(seen.last == ComparisonProgress(step: rows, steps: rows))
        for limit in stride(from: 0, to: seen.count, by: max(1, seen.count / 12)) {
            var asked = 0
            #expect(throws: UnlearningError.cancelled) {
                try MethodComparison.run(
                    model: LetterModel(), tokenizer: ByteTokenizer(), comparison: made, progress: { _ in asked += 1 },
                    isCancelled: { asked >= limit })
            }
        }
    }

    @Test("A case that contradicts itself is refused")
    func malformed() throws {
        let shop = try ComparisonShop()
        let made = try #require(try shop.cases(options([ForgetKind(.users, 20)])).first)
        var nobody = made
        nobody.training[0].user = 1000
        var unknown = made
        unknown.batches[0].training.removed.append("no such prompt")
        var twice = made
        twice.training.append(made.training[0])
        var empty = made
        empty.training = []
        for bad in [nobody, unknown, twice, empty] {
            #expect(throws: UnlearningError.self) { try ComparisonShop.run(bad) }
        }
    }
}
