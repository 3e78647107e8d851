/// How many prompts are computed at once. A pure function of the prompts, their groups and the budget.
package enum MicroBatches {
    /// Consecutive ranges of the prompts in the given order, of about equal numbers of distinct tokens, for training, where
    /// each prompt's loss is asked for in order.
    package static func consecutive(prompts: [[Int32]], budget: Int) -> [[Int]] {
        let greedy = fill(order: Array(prompts.indices), prompts: prompts, groups: [], budget: budget, window: .max)
        guard greedy.count > 1 else { return greedy.map(\.indices) }
        // The same number of batches with a smaller budget, so that the last one is no small rest.
        var best = greedy
        var (low, high) = (greedy.map(\.tokens).reduce(0, +) / greedy.count, budget)
        while low < high {
            let middle = (low + high) / 2
            let tried = fill(
                order: Array(prompts.indices), prompts: prompts, groups: [], budget: middle, window: .max)
            if tried.count <= greedy.count {
                best = tried
                high = middle
            } else {
                low = middle + 1
            }
        }
        return best.map(\.indices)
    }

    /// Ranges of the sorted prompts, for scoring.
    package static func sorted(prompts: [[Int32]], groups: [Int32], budget: Int) -> [[Int]] {
        let order = TokenTree.order(prompts: prompts, groups: groups)
        return fill(order: order, prompts: prompts, groups: groups, budget: budget, window: 1).map(\.indices)
    }

    /// Adds prompts to a batch until the budget is used up; a prompt costs the tokens that it does not share with one of
    /// the last `window` prompts of the batch.
    private static func fill(
        order: [Int], prompts: [[Int32]], groups: [Int32], budget: Int, window: Int
    ) -> [(indices: [Int], tokens: Int)] {
        var batches: [(indices: [Int], tokens: Int)] = []
        for index in order {
            if let batch = batches.last {
                var shared = 0
                for other in batch.indices.suffix(window) where groups.isEmpty || groups[other] == groups[index] {
                    shared = max(shared, TokenTree.sharedLength(prompts[other], prompts[index]))
                }
                let added = prompts[index].count - (shared >= TokenTree.minimumShared ? shared : 0)
                if batch.tokens + added <= budget {
                    batches[batches.count - 1].indices.append(index)
                    batches[batches.count - 1].tokens += added
                    continue
                }
            }
            batches.append(([index], prompts[index].count))
        }
        return batches
    }
}
