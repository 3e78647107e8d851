import ArgumentParser
import Recommendation

extension RatingsReader.Format: ExpressibleByArgument {}
extension Split: ExpressibleByArgument {}
extension PromptConfiguration.Method: ExpressibleByArgument {}
extension PromptConfiguration.Domain: ExpressibleByArgument {}

/// Where ratings come from and how they become prompts.
struct DataOptions: ParsableArguments {
    @Option(help: "How the files are written: recbole, movielens, csv or jsonl.")
    var format: RatingsReader.Format

    @Argument(help: "A folder, a ratings file, or the common beginning of the files' names.")
    var path: String

    @Option(name: .customLong("protocol"), help: "How prompts are made and split: leave-last or tallrec.")
    var method: PromptConfiguration.Method = .leaveLast

    @Option(help: "What is recommended: movie or book.")
    var domain: PromptConfiguration.Domain = .movie

    @Option(help: "Interactions shown in a prompt, from 1 to 1000.")
    var history = 10

    @Option(
        help: "UTF-8 bytes that a prompt's titles may take together, from 64 to 1000000; longer ones are shortened.")
    var titleBytes = PromptConfiguration.defaultTitleBytes

    @Option(help: "A rating above this is a like. [default: 3 for movies, 5 for books]")
    var likeAbove: Double?

    @Option(help: "Share of the training prompts to keep, chosen by a hash of each prompt.")
    var fraction = 1.0

    @Option(help: "Share of the validation prompts to keep.")
    var validationFraction = 1.0

    @Option(help: "Share of the test prompts to keep.")
    var testFraction = 1.0

    @Option(help: "Key of the hash that samples prompts.")
    var sampleSeed: UInt64 = 0

    /// - Throws: `RecommendationError.invalidConfiguration`.
    func configuration() throws -> PromptConfiguration {
        let configuration = PromptConfiguration(
            method: method, domain: domain, historyLength: history, likeAbove: likeAbove ?? (domain == .book ? 5 : 3),
            trainFraction: fraction, validationFraction: validationFraction, testFraction: testFraction,
            seed: sampleSeed, titleBytes: titleBytes)
        _ = try PromptBuilder(configuration: configuration)
        return configuration
    }

    var reader: RatingsReader { RatingsReader(format: format, path: path) }
}
