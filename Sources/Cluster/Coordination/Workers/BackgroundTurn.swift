/// What a worker gets to do between two trainings of its shards, although the next shard waits: so a cluster that always has
/// a shard to retrain still scores rows and checks trainings, a bounded amount each time. Every training given renews it.
struct BackgroundTurn: Sendable {
    /// Chunks of rows or evaluations.
    var chunks = 0
    /// Trainings for comparison.
    var replays = 0

    static let full = BackgroundTurn(
        chunks: CoordinatorLimits.chunksBetweenTrainings, replays: CoordinatorLimits.replaysBetweenTrainings)
}
