import ArgumentParser
import Recommendation

extension RatingsReader.Format: ExpressibleByArgument {}
extension Split: ExpressibleByArgument {}
extension SplitMethod: ExpressibleByArgument {}
extension PromptConfiguration.Domain: ExpressibleByArgument {}

/// Where ratings come from and how they become prompts.
struct DataOptions: ParsableArguments {
    @Option(help: "How the files are written: recbole, movielens, csv or jsonl.")
    var format: RatingsReader.Format

    @Argument(help: "A folder, a ratings file, or the common beginning of the files' names.")
    var path: String

    @Option(
        help: """
            The column or key that holds the items' titles, where its name does not say so. Beside a person only names \
            like item_title, movie_title or book_title do, and a title must be the same in all rows of an item.
            """)
    var titleColumn: String?

    @Option(
        name: .customLong("protocol"),
        help: "How prompts are made and split: leave-last or tallrec. [default: as recorded, or leave-last]")
    var method: SplitMethod?

    @Option(help: "What is recommended: movie or book. [default: as recorded, or movie]")
    var domain: PromptConfiguration.Domain?

    @Option(help: "Interactions shown in a prompt, from 1 to 1000. [default: as recorded, or 10]")
    var history: Int?

    @Option(
        help: """
            UTF-8 bytes that a prompt's titles may take together, from 64 to 1000000; longer ones are shortened. \
            [default: as recorded, or 4096]
            """)
    var titleBytes: Int?

    @Option(help: "A rating above this is a like. [default: as recorded, or 3 for movies, 5 for books]")
    var likeAbove: Double?

    @Option(
        help: "Share of the training prompts to keep, chosen by a hash of each prompt. [default: as recorded, or 1]")
    var fraction: Double?

    @Option(help: "Share of the validation prompts to keep. [default: as recorded, or 1]")
    var validationFraction: Double?

    @Option(help: "Share of the test prompts to keep. [default: as recorded, or 1]")
    var testFraction: Double?

    @Option(help: "Key of the hash that samples prompts. [default: as recorded, or 0]")
    var sampleSeed: UInt64?

    /// The options that stand on the command line.
    var given: [PromptField] {
        let isGiven: [(PromptField, Bool)] = [
            (.method, method != nil), (.domain, domain != nil), (.history, history != nil),
            (.likeAbove, likeAbove != nil), (.fraction, fraction != nil),
            (.validationFraction, validationFraction != nil), (.testFraction, testFraction != nil),
            (.sampleSeed, sampleSeed != nil), (.titleBytes, titleBytes != nil),
        ]
        return isGiven.filter(\.1).map(\.0)
    }

    /// With the built-in defaults for what is not given.
    ///
    /// - Throws: `RecommendationError.invalidConfiguration`.
    func configuration() throws -> PromptConfiguration {
        let configuration = PromptConfiguration(
            method: method ?? .leaveLast, domain: domain ?? .movie, historyLength: history ?? 10,
            likeAbove: likeAbove ?? (domain == .book ? 5 : 3), trainFraction: fraction ?? 1,
            validationFraction: validationFraction ?? 1, testFraction: testFraction ?? 1, seed: sampleSeed ?? 0,
            titleBytes: titleBytes ?? PromptConfiguration.defaultTitleBytes)
        _ = try PromptBuilder(configuration: configuration)
        return configuration
    }

    var reader: RatingsReader { RatingsReader(format: format, path: path, titleColumn: titleColumn) }

    /// - Throws: `CommandFailure` with the first refused lines when no rating was taken: such an import did nothing.
    func requireRatings(_ report: ImportReport) throws {
        guard report.kept == 0 else { return }
        let reasons = report.samples.prefix(3).map { "\($0.file):\($0.line): \($0.reason)" }
        throw CommandFailure(
            .badInput,
            (["\(path) gave no rating: \(report.read) lines read, \(report.refused) refused"] + reasons
                + report.files.map(\.text)).joined(separator: "\n"))
    }
}
