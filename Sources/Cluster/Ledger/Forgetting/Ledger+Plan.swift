import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// What `forget` would do. Writes nothing, but that an import in progress which cannot be read is dropped, as by `forget`.
    ///
    /// - Throws: `LedgerError.unknownData` (all unknown ones named), `.invalidRequest`.
    package func plan(_ request: ClientRequest.ForgetRequest, at time: Date = Date()) throws -> ForgetPlan {
        try droppingUnreadableImports(at: time) { try read { try plan(request, $0) } }
    }

    private func plan(_ request: ClientRequest.ForgetRequest, _ db: Database) throws -> ForgetPlan {
        let method = try ForgetProcedure(request, default: configuration.method)
        let selection = try select(request, db)
        var effect = ForgetEffect()
        effect.counts.users = selection.wholeUsers
        try forEachForgetting(selection, nil, db) {
            effect.count($0)
            effect.count(slicesOf: $0, configuration)
        }
        for lookup in selection.damaged + selection.partlyDamaged {
            for shard in try damagedShards(lookup, db) where effect.shards[shard] == nil {
                effect.shards[shard] = ForgetEffect.Shard()
            }
        }
        let speed = try tokensPerSecond(db)
        let shards = try effect.shards.sorted(by: { $0.key < $1.key }).map { shard, change in
            try plan(shard: shard, change, method, tokensPerSecond: speed, db)
        }
        let retrained = shards.filter(\.retrains)
        // Unknown where a part is.
        func sum<Value>(_ values: [Value?], _ add: ([Value]) -> Value) -> Value? {
            values.contains { $0 == nil } ? nil : add(values.compactMap { $0 })
        }
        return ForgetPlan(
            method: method.method, bridge: method.bridge,
            counts: effect.counts, shards: shards, tokens: sum(retrained.map(\.tokens)) { $0.saturatedSum },
            seconds: sum(retrained.map(\.seconds)) { $0.reduce(0, +) },
            alreadyForgotten: selection.alreadyForgotten)
    }

    private func plan(
        shard: Int, _ change: ForgetEffect.Shard, _ method: ForgetProcedure, tokensPerSecond: Double?, _ db: Database
    ) throws -> ForgetPlan.Shard {
        let state = try shardState(shard, db)
        let retained = state.prompts - change.leaving
        var plan = ForgetPlan.Shard(
            index: shard, promptsRetained: retained, promptsDeleted: change.deleted, promptsRebuilt: change.rebuilt,
            retrains: (state.adapter != nil || state.isQuarantined) && retained > 0, tokens: nil, seconds: nil)
        if plan.retrains, let correction = method.correction {
            let isPending = state.adapter == nil && state.correction != nil
            plan.fallback =
                isPending ? nil : try objection(to: correction, of: state, change, retained: retained)
            plan.corrects = plan.fallback == nil
            plan.retrains = !plan.corrects || method.bridge != nil
        }
        let start = try start(ofShard: shard, before: change.slice ?? 1, adapter: state.adapter, db)
        (plan.slice, plan.slices) = (start?.slice, start.map { _ in configuration.training.slices })
        if state.trainedPrompts > 0 {
            let whole = Double(state.trainedTokens) / Double(state.trainedPrompts) * Double(retained)
            let tokens = whole * (start?.share ?? 1)
            plan.tokens = Int(saturating: tokens)
            plan.seconds = tokensPerSecond.map { tokens / $0 }
        }
        return plan
    }

    /// Where a training of the shard would go on once everything of a slice and of those after it is gone: behind the last stage
    /// on record before it. Slices without prompts have none.
    ///
    /// - `adapter`: the content name of what the shard has now, which stands for the stage after the last slice.
    /// - Returns: the first slice that is trained, and which share of the slices is; nil: the shard trains in one.
    private func start(
        ofShard shard: Int, before touched: Int, adapter: String?, _ db: Database
    ) throws -> (slice: Int, share: Double)? {
        let slices = configuration.training.slices
        guard slices > 1 else { return nil }
        let stages = try recordedStages(shard: shard, db).map(\.report)
        guard let stage = stages.last(where: { $0.slice < touched && $0.digest != nil }) else { return (1, 1) }
        let after = stages.filter { $0.slice > stage.slice }
        // Behind what an earlier request took away it is not known which slices have prompts.
        let isComplete = adapter.map { $0 == stages.last?.name } ?? false
        let share =
            isComplete
            ? Double(after.count) / Double(stages.count) : Double(slices - stage.slice) / Double(slices)
        return (after.first?.slice ?? stage.slice + 1, share)
    }
}
