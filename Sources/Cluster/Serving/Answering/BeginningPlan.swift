import LanguageModels
import Messages

/// For one pass: what is known of its prompts' beginnings, and what of them is to be kept.
struct BeginningPlan {
    private struct Wanted {
        var owner: BeginningCache.Owner?
        var weights: [Float]
    }

    private let mixture: BeginningCache.Mixture
    private(set) var beginnings = PromptBeginnings()
    private var wanted: [Wanted] = []

    init(_ mixture: BeginningCache.Mixture) { self.mixture = mixture }

    /// - Parameters:
    ///   - prompts: of one question.
    ///   - weights: `[prompts, adapters]`, of the mixture's.
    ///   - isShared: whether other prompts of the same history have the same weights.
    ///   - history: with how many tokens all prompts about this history begin.
    ///   - fixed: with how many all prompts do; nil: not known.
    mutating func add(
        _ prompts: [[Int32]], weights: [Float], isShared: Bool, history: Int, owner: BeginningCache.Owner?, fixed: Int?,
        _ cache: inout BeginningCache
    ) {
        let width = mixture.adapters.count
        let first = beginnings.known.count
        for (index, prompt) in prompts.enumerated() {
            let row = Array(weights[(index * width)..<((index + 1) * width)])
            beginnings.known.append(isShared ? cache.beginning(of: prompt, mixture, weights: row) : nil)
        }
        guard isShared, let prompt = prompts.first else { return }
        let known = beginnings.known[first]?.tokens.count ?? 0
        let row = Array(weights.prefix(width))
        for (tokens, owner) in [(fixed ?? 0, nil), (history, owner)] where tokens >= BeginningCache.shortest {
            guard tokens >= known + BeginningCache.shortest, tokens < prompt.count else { continue }
            // Of what all begin with one is enough.
            if owner == nil, wanted.contains(where: { $0.owner == nil && $0.weights == row }) { continue }
            beginnings.wanted.append((first, tokens))
            wanted.append(Wanted(owner: owner, weights: row))
        }
    }

    func keep(_ kept: [KeptBeginning], _ cache: inout BeginningCache) {
        for (wanted, beginning) in zip(wanted, kept) {
            cache.keep(beginning, of: wanted.owner, mixture, weights: wanted.weights)
        }
    }
}
