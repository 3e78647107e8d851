import Files
import Foundation
import LanguageModels
import Unlearning

/// What training with a base model takes of this machine: memory for so many workers, and time for a shard.
struct WorkerForecast: Encodable {
    static let mostPrompts = 100_000_000
    /// Tokens of a prompt with ten titles of films.
    static let usualTokens = 220

    var workers: Int
    var prompts: Int
    /// Once for all workers of the machine.
    var weightBytes: Int
    /// Each worker's own.
    var workerBytes: Int
    /// Of the machine, or what its control groups leave of it.
    var memoryBytes: Int
    /// Of one worker with all cores, if nothing but matrix products took time.
    var tokensPerSecondAtMost: Double
    /// Two epochs of a shard by one worker with all cores, at three quarters of that speed.
    var shardSeconds: Double

    var bytes: Int { weightBytes + workers * workerBytes }
    var fits: Bool { bytes < memoryBytes }

    /// Runtime, libraries, stacks and connections of a process.
    private static let processBytes = 60 << 20
    private static let measuredSeconds = 0.5
    /// Of the products' own speed, what trainings reach.
    private static let usualShare = 0.75

    init(_ model: LoadedModel, workers: Int, prompts: Int) throws {
        let shape = model.checkpoint.configuration
        let forecast = try DecoderForecast(
            model: shape, precision: Precision(TrainingSpecification.Precision.preferred),
            threads: AvailableCores.current.count)
        self.workers = workers
        self.prompts = prompts
        weightBytes = forecast.weightBytes
        workerBytes = forecast.trainingBytes + Self.processBytes
        memoryBytes = AvailableMemory.current.bytes
        tokensPerSecondAtMost = try forecast.measuredTokensPerSecond(seconds: Self.measuredSeconds)
        let tokens = Double(prompts) * Double(Self.usualTokens) * 2
        shardSeconds = tokens / (tokensPerSecondAtMost * Self.usualShare)
    }

    var text: String {
        """
        \(Self.mebibytes(weightBytes)) of packed weights once, \(Self.mebibytes(workerBytes)) for each of \(workers) \
        worker\(workers == 1 ? "" : "s"): \(Self.mebibytes(bytes)) of \(Self.mebibytes(memoryBytes)). Two epochs of a shard of \
        \(prompts) prompts of \(Self.usualTokens) tokens take one worker with all cores about \(Self.duration(shardSeconds)) \
        (at most \(decimal(tokensPerSecondAtMost, 0)) tokens/s).
        """
    }

    private static func mebibytes(_ bytes: Int) -> String {
        bytes < 10 << 30 ? "\(bytes >> 20) MiB" : "\(decimal(Double(bytes) / Double(1 << 30), 1)) GiB"
    }

    private static func duration(_ seconds: Double) -> String {
        switch seconds {
        case ..<120: "\(decimal(seconds, 0)) s"
        case ..<7200: "\(decimal(seconds / 60, 0)) min"
        default: "\(decimal(seconds / 3600, 1)) h"
        }
    }
}
