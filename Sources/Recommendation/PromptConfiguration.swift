/// How interactions become prompts. Part of what determines every adapter, so it is stored with the data.
public struct PromptConfiguration: Codable, Hashable, Sendable {
    public typealias Domain = PromptNoun

    public var method: SplitMethod
    public var domain: Domain
    /// Interactions shown.
    public var historyLength: Int
    /// A rating above this is a like.
    public var likeAbove: Double
    /// Keep a prompt whose keyed hash is below this share of the range; per split.
    public var trainFraction: Double
    public var validationFraction: Double
    public var testFraction: Double
    /// Key of the sampling hash.
    public var seed: UInt64
    /// UTF-8 bytes that the titles of one prompt may take together; longer ones are shortened (`TitleBudget`). A byte-level
    /// tokenizer makes no more tokens than bytes: with the default a prompt stays within a context of 8,192 tokens,
    /// whatever titles say and in whatever script.
    public var titleBytes: Int
    /// The words; nil: TALLRec's (`PromptWording.tallrec`).
    public var template: PromptWording?
    /// What an instruct model wants around a prompt; nil: nothing.
    public var chat: ChatMarkers?

    public static let defaultTitleBytes = 4096

    public init(
        method: SplitMethod = .leaveLast, domain: Domain = .movie, historyLength: Int = 10, likeAbove: Double = 3,
        trainFraction: Double = 1, validationFraction: Double = 1, testFraction: Double = 1, seed: UInt64 = 0,
        titleBytes: Int = Self.defaultTitleBytes, template: PromptWording? = nil, chat: ChatMarkers? = nil
    ) {
        self.method = method
        self.domain = domain
        self.historyLength = historyLength
        self.likeAbove = likeAbove
        self.trainFraction = trainFraction
        self.validationFraction = validationFraction
        self.testFraction = testFraction
        self.seed = seed
        self.titleBytes = titleBytes
        self.template = template
        self.chat = chat
    }
}

extension PromptConfiguration {
    public static let historyBounds = 1...1000
    public static let titleByteBounds = 64...1_000_000

    /// Also reads what was recorded before titles had a budget, and before there were templates.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            method: container.decode(SplitMethod.self, forKey: .method),
            domain: container.decode(Domain.self, forKey: .domain),
            historyLength: container.decode(Int.self, forKey: .historyLength),
            likeAbove: container.decode(Double.self, forKey: .likeAbove),
            trainFraction: container.decode(Double.self, forKey: .trainFraction),
            validationFraction: container.decode(Double.self, forKey: .validationFraction),
            testFraction: container.decode(Double.self, forKey: .testFraction),
            seed: container.decode(UInt64.self, forKey: .seed),
            titleBytes: container.decodeIfPresent(Int.self, forKey: .titleBytes) ?? Self.defaultTitleBytes,
            template: container.decodeIfPresent(PromptWording.self, forKey: .template),
            chat: container.decodeIfPresent(ChatMarkers.self, forKey: .chat))
    }
}
