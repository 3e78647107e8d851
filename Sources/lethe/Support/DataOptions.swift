import ArgumentParser
import Foundation
import LanguageModels
import Messages
import Recommendation

extension RatingsReader.Format: ExpressibleByArgument {}
extension TextEncoding: ExpressibleByArgument {}
extension Split: ExpressibleByArgument {}
extension SplitMethod: ExpressibleByArgument {}

/// Where ratings come from and how they become prompts.
struct DataOptions: ParsableArguments {
    @Option(help: "How the files are written: recbole, movielens, csv or jsonl.")
    var format: RatingsReader.Format

    @Argument(
        help: """
            Folders, ratings files, or the common beginning of the files' names; several are read in this order. - is \
            standard input, of csv and jsonl. Files may be packed with gzip or zstd.
            """)
    var paths: [String]

    @Option(
        help: ArgumentHelp(
            """
            Which column or key means what: user=customer_id,item=product_id,rating=stars,time=created_at,title=name. Of \
            JSON also paths (user=customer.id); of files without names in the first line positions (user=1,item=2). \
            Meanings: user, item, rating, time, title, year, author, event; field:NAME for what the template shows of items. \
            What is left out is known by its name.
            """, valueName: "MEANING=COLUMN,…"))
    var columns: String?

    @Option(
        help: """
            The column or key that holds the items' titles; as title= in --columns. Beside a person only names like \
            item_title, movie_title or book_title are known, and a title must be the same in all rows of an item.
            """)
    var titleColumn: String?

    @Option(
        help: """
            The rating of every row, where nobody rates: 1 makes every row a like, 0 none. Then a rating above 0 is a like \
            unless --like-above says otherwise.
            """)
    var rating: Double?

    @Option(
        help: ArgumentHelp(
            """
            Ratings by what happened: view=0,cart=1,purchase=1, from the column event (or --columns event=NAME). Then a \
            weight above 0 is a like unless --like-above says otherwise. Of rows of one user, item and time the largest \
            weight counts. Rows of other events are refused.
            """, valueName: "EVENT=WEIGHT,…"))
    var events: String?

    @Option(
        help: """
            How the files' text is encoded: utf-8, windows-1252, iso-8859-1, utf-16le or utf-16be. A byte order mark says \
            more. [default: UTF-8, and Windows-1252 where it is not]
            """)
    var encoding: TextEncoding?

    @Option(
        help: """
            What times that are numbers count since 1970: seconds, milliseconds, microseconds or nanoseconds. A cluster \
            into which an older release imported milliseconds, or dates like 20240506, keeps them with seconds. [default: by \
            their magnitude, and digits that are a date are one]
            """)
    var timeUnit: TimeUnit?

    @Option(
        name: .customLong("protocol"),
        help: "How prompts are made and split: leave-last or tallrec. [default: as recorded, or leave-last]")
    var method: SplitMethod?

    @Option(
        help: ArgumentHelp(
            """
            What is recommended, as one noun or as singular and plural, in any language: book, lamp:lamps, Lampe:Lampen. \
            [default: as recorded, or movie]
            """, valueName: "NOUN[:NOUNS]"))
    var domain: String?

    @Option(
        help: ArgumentHelp(
            """
            A JSON file with the words of the prompts and of the answers; none: TALLRec's. The article "Words" describes it. \
            [default: as recorded, or none]
            """, valueName: "FILE"))
    var template: String?

    @Option(
        help: ArgumentHelp(
            """
            For instruct models: put the role markers of this base model (a GGUF file or a Hugging Face directory) around \
            every prompt; none: nothing. [default: as recorded, or none]
            """, valueName: "MODEL"))
    var chatTemplate: String?

    @Option(help: "Interactions shown in a prompt, from 1 to 1000. [default: as recorded, or 10]")
    var history: Int?

    @Option(
        help: """
            UTF-8 bytes that a prompt's titles may take together, from 64 to 1000000; longer ones are shortened. \
            [default: as recorded, or 4096]
            """)
    var titleBytes: Int?

    @Option(
        help: """
            A rating above this is a like. [default: as recorded, or 3 for movies, 5 for books; 0 with --rating or --events]
            """)
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

    /// Ratings do not come from a column, so that scales of stars mean nothing.
    private var isImplicit: Bool { rating != nil || events != nil }

    /// The options that stand on the command line, or follow from what does.
    var given: [PromptField] {
        let isGiven: [(PromptField, Bool)] = [
            (.method, method != nil), (.domain, domain != nil), (.history, history != nil),
            (.likeAbove, likeAbove != nil || isImplicit), (.fraction, fraction != nil),
            (.validationFraction, validationFraction != nil), (.testFraction, testFraction != nil),
            (.sampleSeed, sampleSeed != nil), (.titleBytes, titleBytes != nil), (.template, template != nil),
            (.chat, chatTemplate != nil),
        ]
        return isGiven.filter(\.1).map(\.0)
    }

    /// With the built-in defaults for what is not given.
    ///
    /// - Throws: `RecommendationError.invalidConfiguration`, `.invalidTemplate`, `.unreadableFile`; `CommandFailure` for a noun
    ///   that is none; `LanguageModelError` of the model whose chat template is wanted.
    func configuration() throws -> PromptConfiguration {
        let noun = try noun() ?? .movie
        let configuration = PromptConfiguration(
            method: method ?? .leaveLast, domain: noun, historyLength: history ?? 10,
            likeAbove: likeAbove ?? (isImplicit ? 0 : noun == .book ? 5 : 3), trainFraction: fraction ?? 1,
            validationFraction: validationFraction ?? 1, testFraction: testFraction ?? 1, seed: sampleSeed ?? 0,
            titleBytes: titleBytes ?? PromptConfiguration.defaultTitleBytes, template: try wording(),
            chat: try chatMarkers())
        _ = try PromptBuilder(configuration: configuration)
        return configuration
    }

    /// What a cluster would make prompts with after an import.
    ///
    /// - Parameters:
    ///   - wanted: `configuration()`
    ///   - recorded: the cluster's.
    ///   - changePrompts: whether what is given may differ from it.
    /// - Throws: `ClientError` where it differs, as the coordinator would after it was sent all rows; as `PromptBuilder`.
    func configuration(
        _ wanted: PromptConfiguration, over recorded: PromptConfiguration, changePrompts: Bool
    ) throws -> PromptConfiguration {
        let merged = recorded.taking(given, from: wanted)
        _ = try PromptBuilder(configuration: merged)
        let changes = recorded.changes(to: merged)
        if changes.isEmpty || changePrompts { return merged }
        if likeAbove == nil, changes.contains(where: { $0.field == .likeAbove }) {
            // Nobody gave the threshold: it followed from where the ratings come from.
            let (option, values) = rating == nil ? ("--events", "weights") : ("--rating", "a --rating")
            let text = PromptField.likeAbove.text(in: recorded)
            throw ClientError(
                code: .promptsDiffer,
                message:
                    "nothing was imported: with \(option) a rating above 0 is a like, in this cluster one above \(text); "
                    + "give --like-above \(text) and \(values) above it for what is a like")
        }
        throw ClientError(LedgerError.promptsDiffer(changes))
    }

    /// - Throws: `CommandFailure`, status 64: unlike the words of a file a noun is an argument.
    private func noun() throws -> PromptNoun? {
        do {
            return try domain.map { text throws(RecommendationError) in try PromptNoun(parsing: text) }
        } catch RecommendationError.invalidTemplate(let reason) {
            throw CommandFailure(.usage, "--domain: \(reason)")
        }
    }

    private func wording() throws -> PromptWording? {
        guard let template, template != Self.noFile else { return nil }
        return try PromptWording(file: template)
    }

    private func chatMarkers() throws -> ChatMarkers? {
        guard let chatTemplate, chatTemplate != Self.noFile else { return nil }
        let wrapping = try ChatWrapping(of: ModelLoader.load(path: chatTemplate), path: chatTemplate)
        return ChatMarkers(
            style: wrapping.style, open: wrapping.open, close: wrapping.close, controls: wrapping.controls)
    }

    /// What says that there shall be none.
    private static let noFile = "none"

    /// - Parameters:
    ///   - recorded: how the cluster makes prompts; its template's fields are read where none is given here.
    ///   - itemsAreDeclared: `ReadingRules.itemsAreDeclared`
    /// - Throws: `CommandFailure`, `RecommendationError.invalidColumns` for options that contradict each other.
    func reader(recorded: PromptConfiguration? = nil, itemsAreDeclared: Bool = false) throws -> RatingsReader {
        var declared = try columns.map { try DeclaredColumns(parsing: $0) } ?? DeclaredColumns()
        if let titleColumn { try declared.declare(.title, titleColumn) }
        let ratings: RatingSource
        switch (rating, events) {
        case (nil, nil):
            guard declared[.event] == nil else {
                throw CommandFailure(
                    .usage, "an event has no weight without --events view=0,cart=1,purchase=1")
            }
            ratings = .column
        case (let rating?, nil):
            guard rating.isFinite else { throw CommandFailure(.usage, "--rating must be a finite number") }
            ratings = .every(rating)
        case (nil, let events?): ratings = .events(try EventWeights(parsing: events))
        case (_?, _?): throw CommandFailure(.usage, "--rating and --events exclude each other")
        }
        if ratings != .column, declared[.rating] != nil {
            throw CommandFailure(.usage, "a column of ratings is declared, so --rating and --events mean nothing")
        }
        return RatingsReader(
            format: format, paths: paths,
            rules: ReadingRules(
                columns: declared, ratings: ratings, encoding: encoding, timeUnit: timeUnit?.form,
                itemFields: try (template == nil ? recorded?.template : wording())?.itemFields() ?? [],
                itemsAreDeclared: itemsAreDeclared))
    }

    /// Opens the files as far as their first row, so that a mistake in their names does not wait for a coordinator. Standard input and
    /// pipes can be read only once.
    ///
    /// - Throws: as reading them does.
    func requireFiles(itemsAreDeclared: Bool = false) throws {
        struct Enough: Error {}
        let kinds = paths.map { try? FileManager.default.attributesOfItem(atPath: $0)[.type] as? FileAttributeType }
        guard !paths.contains("-"),
            kinds.allSatisfy({ [nil, .typeRegular, .typeDirectory, .typeSymbolicLink].contains($0 ?? nil) })
        else { return }
        do {
            try reader(itemsAreDeclared: itemsAreDeclared).forEachBatch(size: 1) { _ in throw Enough() }
        } catch is Enough {}
    }

    /// - Throws: `CommandFailure` with the first refused lines when no rating was taken: such an import did nothing.
    func requireRatings(_ report: ImportReport) throws {
        guard report.kept == 0 else { return }
        let reasons = report.samples.prefix(3).map { "\($0.file):\($0.line): \($0.reason)" }
        throw CommandFailure(
            .badInput,
            (["\(paths.joined(separator: " ")) gave no rating: \(report.read) lines read, \(report.refused) refused"]
                + reasons
                + report.files.map(\.text)).joined(separator: "\n"))
    }
}

/// What numbers count since 1970.
enum TimeUnit: String, CaseIterable, ExpressibleByArgument {
    case seconds, milliseconds, microseconds, nanoseconds

    var form: Timestamps.Form {
        switch self {
        case .seconds: .seconds
        case .milliseconds: .milliseconds
        case .microseconds: .microseconds
        case .nanoseconds: .nanoseconds
        }
    }
}
