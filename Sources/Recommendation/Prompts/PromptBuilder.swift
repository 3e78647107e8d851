import Crypto
import Foundation

/// Makes prompts from one user's interactions: a pure function of these, the titles and the configuration.
///
/// The layout is TALLRec's (arXiv 2305.00447). A user's interactions are sorted by time, those that share a timestamp by
/// their order in the file. Every interaction with `historyLength` others before it can be a target; the history is the
/// `historyLength` interactions right before it. An interaction whose item has no title is treated as absent.
///
/// - leave-last: the user's last interaction is the test target, the one before it the validation target, every earlier
///   one a training target; a target with fewer than `historyLength` interactions before it makes no prompt. So a user
///   with `historyLength` interactions or fewer has no prompt, one with `historyLength + 1` only a test prompt.
/// - tallrec: the targets and their splits are those recorded at import (`TallrecSplit`).
public struct PromptBuilder: Sendable {
    public let configuration: PromptConfiguration

    /// - Throws: `RecommendationError.invalidConfiguration` when the history length is not positive, a fraction is
    ///   outside 0...1 or a number is not finite.
    public init(configuration: PromptConfiguration) throws {
        self.configuration = configuration
    }

    /// All prompts of one user, oldest target first, after sampling.
    ///
    /// - Parameters:
    ///   - interactions: the user's retained interactions, in any order; those of other users are ignored.
    ///   - titles: the title of an item, nil when the catalogue does not have it.
    ///   - splits: under tallrec the split of each recorded target; ignored under leave-last.
    public func prompts(
        user: String, interactions: [Interaction], titles: (String) -> String?, splits: [InteractionKey: Split] = [:]
    ) -> [Prompt] {
        []
    }

    /// The prompt that asks whether a user will like an item, from the user's latest `historyLength` interactions (or
    /// as many as there are).
    ///
    /// - Throws: `RecommendationError.unknownItem` when the item has no title.
    public func queryPrompt(
        user: String, interactions: [Interaction], item: String, titles: (String) -> String?
    ) throws -> QueryPrompt {
        throw RecommendationError.unknownItem(item: item)
    }

    /// SHA-256, in hexadecimal, of the target's user, item and timestamp: what `Prompt.id` is.
    public static func promptID(target: InteractionKey) -> String {
        ""
    }
}

/// A question of the present: no label, no split.
public struct QueryPrompt: Codable, Hashable, Sendable {
    public var user: String
    public var item: String
    /// The interactions shown, oldest first.
    public var history: [InteractionKey]
    /// As a worker takes it. Its label means nothing; its id is the SHA-256 of user and item.
    public var prompt: TrainingPrompt

    public init(user: String, item: String, history: [InteractionKey], prompt: TrainingPrompt) {
        self.user = user
        self.item = item
        self.history = history
        self.prompt = prompt
    }
}
