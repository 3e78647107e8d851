import Messages

/// Stages that were to be taken away and that the ledger, which could not write it, may still have: no question is answered with
/// them.
package struct WithheldStages: Equatable, Sendable {
    private struct Stage: Hashable {
        var shard: Int
        var name: String
    }

    private var stages: Set<Stage> = []

    package init() {}

    /// - `name`: content name.
    package mutating func withhold(_ name: String, of shard: Int) { stages.insert(Stage(shard: shard, name: name)) }

    /// It is gone, or answers again.
    package mutating func release(_ name: String, of shard: Int) { stages.remove(Stage(shard: shard, name: name)) }

    /// - `stage`: the last slice that it was trained on; nil: on all. That it has the very bytes of a stage does not matter then.
    package func contain(_ name: String, stage: Int?, of shard: Int) -> Bool {
        stage != nil && stages.contains(Stage(shard: shard, name: name))
    }

    /// Those of the adapters that may answer.
    package func without(_ adapters: [AdapterRecord]) -> [AdapterRecord] {
        adapters.filter { !contain($0.name, stage: $0.report.slices?.stage, of: $0.shard) }
    }
}
