import Client
import Foundation
import LanguageModels
import Messages
import Recommendation
import Unlearning

/// Reads everything as an import would, sends nothing, and says what would come of it.
struct ImportCheck {
    let data: DataOptions
    /// Whether settings may differ from the recorded ones.
    let changePrompts: Bool
    /// For each like.
    let negatives: Int
    /// Whose tokenizer counts; nil: tokens are not known.
    let model: String?
    let dealing: ListedDealing
    let client: ClientOptions

    func run() throws {
        let wanted = try data.configuration()
        let cluster = try recordedConfiguration()
        let recorded = cluster?.prompts
        // What a cluster would refuse after the last row is refused before the first.
        if !dealing.isByHash { try cluster?.requireDealing() }
        if negatives > 0 { try cluster?.requireDrawing() }
        let configuration =
            try recorded.map { try data.configuration(wanted, over: $0, changePrompts: changePrompts) } ?? wanted
        let tokenizer = try model.map { try ModelLoader.load(path: $0) }
        // Which items are drawn depends on the cluster's seed; how many prompts that makes, a little.
        var set = try PromptSet(
            configuration: configuration, negatives: negatives, seed: cluster?.effective.seed ?? 0)
        var progress = ProgressLine()
        var rows = 0
        let report = try data.reader(recorded: recorded, itemsAreDeclared: negatives > 0).forEachBatch { batch in
            set.add(batch)
            rows += batch.interactions.count
            progress.show("\(rows) rows read")
        }
        progress.end()
        set.finish()
        try data.requireRatings(report)
        let builder = try PromptBuilder(configuration: configuration)
        var check = CheckReport(report, set, example: builder.example)
        if negatives > 0 { check.negatives = .init(perLike: negatives, pool: set.itemCount) }
        var sample = EvenSample<TrainingPrompt>(limit: Self.promptsToCount)
        try set.forEachUser { interactions, prompts in
            check.add(interactions, prompts, configuration)
            check.negatives?.drawn += set.negatives(of: interactions).values.reduce(0) { $0 + $1.count }
            for prompt in prompts {
                if builder.shortens(prompt, titles: set.title) { check.promptsShortened += 1 }
                if tokenizer != nil, prompt.split == .train { sample.add(TrainingPrompt(prompt)) }
            }
        }
        check.rowsRepeated = check.rowsKept - check.interactions
        if !dealing.isByHash {
            check.dealing = .init(
                toLast: dealing.toLast, leaversListed: dealing.leavers?.count,
                leaversFound: dealing.found(in: set.users))
            if cluster == nil {
                check.notKnown.append(
                    "no coordinator answers: whether its cluster deals people to slices (--slices, and the partition user or "
                        + "user-hash) is not known")
            }
        }
        if recorded == nil {
            if data.domain == nil, data.template == nil {
                check.notKnown.append(
                    "prompts call an item a movie; --domain lamp (or --domain Lampe:Lampen) calls it otherwise")
            }
            check.notKnown.append("no coordinator with data answers: prompts are those of a first import")
        } else {
            check.notKnown.append(
                "whoever and whatever was forgotten in this cluster stays out of an import and is counted here all the same: "
                    + "what is kept of them tells the coordinator alone")
        }
        if let tokenizer {
            if let frame = builder.frame { try tokenizer.tokenizer.check(frame) }
            try addTokens(to: &check, sample.elements, tokenizer, isThere: cluster != nil)
        } else {
            check.notKnown.append("tokens and training time are not known without a base model (--model)")
        }
        try client.output.emit(check) { check.text }
    }

    /// Prompts whose tokens are counted; the others are taken to be as long.
    private static let promptsToCount = 2000

    /// - Parameter isThere: whether a coordinator answers.
    private func addTokens(
        to check: inout CheckReport, _ prompts: [TrainingPrompt], _ model: LoadedModel, isThere: Bool
    ) throws {
        guard !prompts.isEmpty else { return }
        let context = model.checkpoint.configuration.context
        let counts = try prompts.map { try model.tokenizer.encode($0, context: context).count }
        let mean = Double(counts.reduce(0, +)) / Double(counts.count)
        let epoch = mean * Double(check.prompts.train)
        let speed = isThere ? try tokensPerSecond() : nil
        check.tokens = CheckReport.Tokens(
            counted: counts.count, meanOfPrompt: mean, longestPrompt: counts.max() ?? 0, epoch: Int(epoch.rounded()),
            secondsOfEpoch: speed.map { epoch / $0 })
        if speed == nil {
            check.notKnown.append(
                "the training time is not known without a coordinator whose cluster has trained before")
        }
    }

    /// nil: nobody named a coordinator and none answers where one usually is.
    ///
    /// - Throws: what keeps the import from its coordinator: a page that is counted for another cluster decides nothing.
    private func recordedConfiguration() throws -> ConfigurationReply? {
        let coordinator = try client.connect()
        do {
            let patience = client.namesCoordinator ? Duration.seconds(15) : Self.patience
            let reply = try coordinator.call(.configuration, patience: patience)
            return try ReplyCoding.decode(ConfigurationReply.self, from: reply.body)
        } catch let error as ClientError where error.code == .unreachable && !client.namesCoordinator {
            return nil
        }
    }

    /// For a coordinator that need not be there.
    private static let patience = Duration.seconds(2)

    /// Of the cluster's last training; nil: it never trained.
    private func tokensPerSecond() throws -> Double? {
        struct Status: Decodable {
            struct Statistics: Decodable {
                var speed: Double?

                private enum CodingKeys: String, CodingKey { case speed = "tokens_per_second" }
            }
            var statistics: Statistics
        }
        let reply = try client.connect().call(.status)
        let speed = try JSONDecoder().decode(Status.self, from: reply.body).statistics.speed
        return speed.flatMap { $0 > 0 ? $0 : nil }
    }
}

/// At most so many of a sequence whose length nobody knows, evenly from all of it.
struct EvenSample<Element> {
    let limit: Int
    private(set) var elements: [Element] = []
    private var step = 1
    private var seen = 0

    init(limit: Int) {
        self.limit = limit
    }

    mutating func add(_ element: @autoclosure () -> Element) {
        defer { seen += 1 }
        guard seen.isMultiple(of: step) else { return }
        elements.append(element())
        guard elements.count > limit else { return }
        elements = elements.enumerated().filter { $0.offset.isMultiple(of: 2) }.map(\.element)
        step *= 2
    }
}
