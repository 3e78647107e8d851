import Foundation
import LanguageModels
import Recommendation
import Unlearning

/// One measurement over a file of prompts.
struct BenchRun {
    struct Report: Encodable {
        var mode: String
        var precision: String
        var threads: Int
        var prompts: Int
        var tokens: Int
        var tokensPerSecond: Double
        /// Matrix-product operations a second while measuring.
        var operationsPerSecond: Double
        /// The same of oneDNN alone on this model's shapes, measured right before.
        var peakOperationsPerSecond: Double
        var fractionOfPeak: Double
        /// Largest resident set so far, in bytes.
        var peakResidentBytes: Int
        var stages: [Stage]

        struct Stage: Encodable {
            var stage: String
            /// Summed over the threads.
            var threadSeconds: Double
            /// Of one thread.
            var operationsPerSecond: Double
        }

        var text: String {
            let rows = stages.filter { $0.threadSeconds > 0 }.map { stage in
                [
                    stage.stage, decimal(stage.threadSeconds),
                    stage.operationsPerSecond > 0 ? decimal(stage.operationsPerSecond / 1e9, 0) : "-",
                ]
            }
            return """
                \(mode), \(precision), \(threads) threads: \(decimal(tokensPerSecond, 0)) tokens/s \
                (\(prompts) prompts, \(tokens) tokens)
                matrix products: \(decimal(operationsPerSecond / 1e9, 0)) GFLOP/s, \(decimal(fractionOfPeak * 100, 0)) % of \
                oneDNN's \(decimal(peakOperationsPerSecond / 1e9, 0)) on these shapes
                resident memory: at most \(peakResidentBytes >> 20) MiB
                \(table([["stage", "thread seconds", "GFLOP/s a thread"]] + rows))
                """
        }
    }

    let options: BenchCommand.Options
    let local: LocalModel
    let samples: [TrainingPrompt]
    let ids: [[Int32]]

    init(_ options: BenchCommand.Options) throws {
        guard options.batch > 0, options.limit > 0 else {
            throw CommandFailure(.usage, "--batch and --limit must be at least 1")
        }
        self.options = options
        samples = Array(try readPrompts(options.prompts).prefix(options.limit))
        guard samples.count > options.batch else {
            throw CommandFailure(
                .badInput,
                "\(samples.count) prompts are not more than one batch of \(options.batch): nothing to measure")
        }
        local = try LocalModel(options.model)
        let tokenizer = local.tokenizer
        let context = local.decoder.configuration.context
        ids = try samples.map { try tokenizer.encode($0, context: context) }
    }

    func measure(
        _ mode: String, training: Bool, step: ([Int]) throws -> Void
    ) throws -> Report {
        let peak = try local.decoder.peakOperationsPerSecond(seconds: 1)
        let batches = stride(from: 0, to: ids.count, by: options.batch).map { start in
            Array(start..<min(start + options.batch, ids.count))
        }
        try step(batches[0])
        local.decoder.startProfile()
        let clock = ContinuousClock()
        let start = clock.now
        for batch in batches.dropFirst() { try step(batch) }
        let (whole, fraction) = (clock.now - start).components
        let seconds = Double(whole) + Double(fraction) / 1e18
        let measured = Array(batches.dropFirst().joined())
        let tokens = measured.reduce(0) { $0 + ids[$1].count }
        let operations = try batches.dropFirst().reduce(0) { sum, batch in
            sum + (try local.decoder.productOperations(prompts: batch.map { ids[$0] }, training: training))
        }
        let stages = (local.decoder.profile()?.entries ?? []).map { entry in
            Report.Stage(
                stage: entry.stage.rawValue, threadSeconds: entry.seconds,
                operationsPerSecond: entry.seconds > 0 ? entry.operations / entry.seconds : 0)
        }
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Report(
            mode: mode, precision: local.precision.rawValue, threads: options.model.threads, prompts: measured.count,
            tokens: tokens, tokensPerSecond: Double(tokens) / seconds, operationsPerSecond: operations / seconds,
            peakOperationsPerSecond: peak, fractionOfPeak: operations / seconds / peak,
            peakResidentBytes: usage.ru_maxrss << 10, stages: stages)
    }
}
