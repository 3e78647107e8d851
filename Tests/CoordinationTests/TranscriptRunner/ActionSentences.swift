import ClusterTestSupport
import Coordination
import Messages

/// Actions as short sentences, one line each. Every switch here is without a default: a new action must be told.
struct ActionSentences {
    /// Training prompts of a manifest.
    var prompts: (String) -> Int
    /// The worker behind a connection.
    var worker: (PeerID) -> String

    /// Heartbeats, receipts and that something is worked on are not told: they say nothing. What is gone shows in what follows.
    func lines(_ action: CoordinatorAction) -> [String] {
        switch action {
        case .send(_, .heartbeat), .send(_, .taken), .working, .findGone: []
        case .send(let peer, let message): ["to \(worker(peer)): \(sentence(message))"]
        case .dispatch(let peer, let task): ["to \(worker(peer)): \(sentence(task))"]
        case .reply(let ticket, let reply): lines(reply, to: ticket.request)
        // Follows from what the log says of workers.
        case .ledger(_, .noteWorkers): []
        case .ledger(_, let command): ["ledger: \(sentence(command))"]
        case .loadMissing(.embeddings, _): ["look up: which prompts have no embedding"]
        case .loadMissing(.margins(let adapter), _): ["look up: which validation prompts \(adapter) has not scored"]
        case .loadSplit(let operation, let split, _): ["look up: the \(split.rawValue) prompts, for \(operation)"]
        case .loadComparison(let operation, _): ["look up: the cases of comparison \(operation)"]
        case .loadForgetShards(let operation, let request):
            ["look up: the shards that forget \(request) touched, for \(operation)"]
        case .loadStages(let operation): ["look up: which stages are on record, for \(operation)"]
        case .computeWeights(let operation, let request):
            [
                "compute: how much \(request.adapters.list) count for \(request.digests.list), by the \(request.scope.rawValue), "
                    + "for \(operation)"
            ]
        case .buildEvaluation(let operation, let scores):
            ["compute: the report of evaluation \(operation), of \(scores.series.count) series of margins"]
        case .superseded(let other): ["give way to another coordinator: \(other)"]
        case .log(let line): line.repeatsActions ? [] : ["log: \(line)"]
        }
    }

    private func sentence(_ message: CoordinatorMessage) -> String {
        switch message {
        case .welcome(let welcome): "welcome to cluster \(welcome.cluster)"
        case .refused(let code, let message): "refused (\(code)): \(message)"
        case .heartbeat: "heartbeat"
        case .assign(let assignment): "shard \(assignment.shard) as task \(assignment.task), complete"
        case .prepare(let task): "prepare shard \(task.shard) as task \(task.task), complete"
        case .replay(let task, _, let prompts): "train \(prompts.count) prompts as task \(task), complete"
        case .replayStage(let replay): "train slice \(replay.slice) as task \(replay.task), complete"
        case .hand(let hand): "hand stages of shard \(hand.shard) on as task \(hand.task), complete"
        case .stage(let shard, let stage): "stage \(stage.name) of shard \(shard)"
        case .noStage(let shard): "no more stages of shard \(shard)"
        case .prompts(let task, let prompts): "\(prompts.count) prompts for task \(task), complete"
        case .score(let task): "score \(task.prompts.count) prompts as task \(task.task), complete"
        case .embed(let task, _, let prompts): "embed \(prompts.count) prompts as task \(task), complete"
        case .compare(let task, _): "compare methods as task \(task), complete"
        case .adapters(let task, let adapters): "\(adapters.count) adapters for task \(task), complete"
        case .drop(let adapters): "drop \(adapters.list)"
        case .taken(let task): "the answer to task \(task) has come"
        case .cancel(let task): "drop task \(task)"
        case .release(let shard): "delete everything of shard \(shard)"
        case .leave: "nothing is left to do: leave"
        }
    }

    private func sentence(_ dispatch: Dispatch) -> String {
        switch dispatch {
        case .assign(let task, let shard, let manifest, _, nil, _):
            return "train \(data(shard, manifest)) as task \(task)"
        case .assign(let task, let shard, let manifest, _, "", _):
            return "keep \(data(shard, manifest)) as task \(task), to be trained later"
        case .assign(let task, let shard, let manifest, _, let adapter?, _):
            return "keep \(data(shard, manifest)) as task \(task); \(adapter) is trained from it already"
        case .correct(let task, let shard, let manifest, _, _):
            return "correct the adapter of \(data(shard, manifest)) as task \(task)"
        case .prepare(let task, let shard, let manifest, let adapter):
            return "prepare influences of \(adapter), \(data(shard, manifest)), as task \(task)"
        case .prompts(let task, let shard, _, let digests):
            return "\(digests.count) prompts of shard \(shard) for task \(task)"
        case .replay(let task, _, .shard(let shard, let manifest)):
            return "train \(data(shard, manifest)) for comparison as task \(task)"
        case .replayStage(let task, _, let shard, let manifest, let slice, _):
            return "train slice \(slice) of \(data(shard, manifest)) for comparison as task \(task)"
        case .hand(let task, let shard, let manifest, _, let stage, _):
            return stage.map { "hand stage \($0) of \(data(shard, manifest)) on as task \(task)" }
                ?? "keep of shard \(shard) what \(data(shard, manifest)) has, as task \(task)"
        case .stage(_, let shard, _, let stage): return "stage \(stage.name) of shard \(shard)"
        case .noStage(_, let shard): return "no more stages of shard \(shard)"
        case .replay(let task, _, .everything): return "train one adapter on all prompts as task \(task)"
        case .embed(let task, _, let scope, let digests):
            return "embed \(digests.list) as task \(task), by the \(scope.rawValue)"
        case .score(let task, _, let adapters, _, let digests):
            let models = adapters.isEmpty ? "the base model" : adapters.map(\.name).list
            return "score \(digests.list) under \(models) as task \(task)"
        case .adapters(let task, let adapters): return "\(adapters.map(\.name).list) for task \(task)"
        case .compare(let task, _, let position, _): return "compare methods on case \(position) as task \(task)"
        }
    }

    private func data(_ shard: Int, _ manifest: String) -> String {
        "shard \(shard) (manifest \(manifest), \(prompts(manifest)) prompts)"
    }
}

extension [String] {
    /// "a", "a and b", "a, b and c"; of more than six the first and last.
    var list: String {
        guard let last, count > 1 else { return first ?? "nothing" }
        if count > 6 { return "\(count) prompts (\(self[0]) to \(last))" }
        return dropLast().joined(separator: ", ") + " and \(last)"
    }
}

extension [Int] {
    /// "shard 1", "shards 0 and 2", "no shard".
    var shards: String {
        isEmpty ? "no shard" : (count == 1 ? "shard " : "shards ") + map(String.init).list
    }
}
