import LanguageModels
import Recommendation
import Unlearning

/// Prompts dealt to shards, each with an adapter of its own: SISA, RecEraser and APA differ in how they deal and in how they
/// join the answers. Prompts stay in their shards; a request trains those anew whose prompts changed.
struct ShardEnsemble {
    private(set) var partition: BalancedPartition
    /// Embedding and dealing.
    let preparation: PhaseCost
    private let work: ComparedModels

    init(_ method: PartitionMethod, of prompts: [CasePrompt], work: ComparedModels) throws {
        self.work = work
        let began = ContinuousClock.now
        let embeddings = try work.embeddings(method.isDataDependent ? prompts : [])
        partition = try BalancedPartition(
            method: method, samples: prompts.map(Self.sample), embeddings: embeddings.values,
            dimension: method.isDataDependent ? embeddings.values.count / prompts.count : 0,
            shards: work.settings.shards, seed: work.settings.specification.seed)
        var cost = embeddings.cost
        // Embeddings may have been there already; dealing takes next to nothing.
        cost.seconds = max(cost.seconds, ComparedModels.seconds(since: began))
        preparation = cost
    }

    private static func sample(_ prompt: CasePrompt) -> PartitionSample {
        PartitionSample(id: prompt.id, user: String(prompt.user))
    }

    /// The prompts of each shard, empty ones left out.
    mutating func shards(of prompts: [CasePrompt]) throws -> [[CasePrompt]] {
        let new = prompts.filter { partition.shard(of: Self.sample($0)) == nil }
        if !new.isEmpty {
            try partition.add(samples: new.map(Self.sample), embeddings: try work.embeddings(new).values)
        }
        var shards = [[CasePrompt]](repeating: [], count: partition.shards)
        for prompt in prompts { shards[partition.shard(of: Self.sample(prompt)) ?? 0].append(prompt) }
        return shards.filter { !$0.isEmpty }
    }

    /// The adapters after a request, and those of them that were not there before.
    ///
    /// - `train`: one shard's prompts; whether they are others than before.
    mutating func adapters(
        before: ComparisonState?, after: ComparisonState,
        train: (_ prompts: [CasePrompt], _ changed: Bool) throws -> ComparedAdapter
    ) throws -> (all: [ComparedAdapter], new: [ComparedAdapter]) {
        let known = Set(try before.map { try shards(of: $0.training).map(ComparisonState.name) } ?? [])
        var (all, new): ([ComparedAdapter], [ComparedAdapter]) = ([], [])
        for shard in try shards(of: after.training) {
            let changed = before != nil && !known.contains(ComparisonState.name(shard))
            let adapter = try train(shard, changed)
            all.append(adapter)
            if before == nil || changed { new.append(adapter) }
        }
        return (all, new)
    }

    /// Trained as the cluster trains.
    mutating func adapters(
        before: ComparisonState?, after: ComparisonState
    ) throws -> (all: [ComparedAdapter], new: [ComparedAdapter]) {
        let work = self.work
        return try adapters(before: before, after: after) { prompts, _ in try work.train(prompts) }
    }
}

/// APA's attention over given adapters, chosen on validation as the cluster does.
struct ComparedAttention {
    /// nil: equal weights.
    var attention: SampleAdaptiveAttention?
    /// Margins of validation prompts under the new adapters, and the choice of τ and n.
    var cost = PhaseCost()

    /// - Parameter new: those whose margins are not there yet.
    init(
        _ adapters: [ComparedAdapter], new: [ComparedAdapter], validation: [CasePrompt], work: ComparedModels
    ) throws {
        guard adapters.count > 1, !validation.isEmpty else { return }
        let rows = try adapters.map { try work.row(validation, of: $0) }
        let names = Set(new.map(\.name))
        for (adapter, row) in zip(adapters, rows) where names.contains(adapter.name) { cost = cost + row.cost }
        let embeddings = try work.embeddings(validation).values
        let began = ContinuousClock.now
        let (ids, labels) = (validation.map(\.id), validation.map(\.sample.label))
        let parameters = try SampleAdaptiveAttention.tune(
            ids: ids, embeddings: embeddings, dimension: embeddings.count / validation.count,
            margins: rows.map(\.margins), labels: labels
        ).best
        attention = try SampleAdaptiveAttention(
            ids: ids, embeddings: embeddings, dimension: embeddings.count / validation.count,
            errors: rows.map { SampleAdaptiveAttention.errors(margins: $0.margins, labels: labels) },
            parameters: parameters)
        cost.seconds += ComparedModels.seconds(since: began)
    }
}
