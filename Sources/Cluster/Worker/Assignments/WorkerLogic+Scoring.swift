import Files
import Messages

/// A scoring task some of whose adapters are not in memory.
struct WaitingScore: Sendable {
    var task: CoordinatorMessage.ScoreTask
    /// Content names asked for under its id.
    var asked: Set<String> = []
}

/// Scoring tasks name their adapters; those that are not in memory are asked for, each once.
extension WorkerLogic {
    mutating func prepareScoring(_ task: CoordinatorMessage.ScoreTask) -> [Action] {
        waitingScores.append(WaitingScore(task: task))
        return goOnScoring()
    }

    mutating func take(adapters received: [[UInt8]], task: TaskID) -> [Action] {
        guard let position = waitingScores.firstIndex(where: { $0.task.task == task }) else { return [] }
        let needed = Set(waitingScores.flatMap(\.task.adapters))
        var isNew = false
        for adapter in received {
            let name = sha256(adapter)
            guard waitingScores[position].asked.remove(name) != nil else { continue }
            adapters.keep(adapter, named: name, needed: needed)
            isNew = true
        }
        guard isNew else {
            waitingScores.remove(at: position)
            let failure = TaskFailure(code: .contentName, message: "the adapters sent are not those asked for")
            return [failed(task, failure)] + goOnScoring()
        }
        // As many were sent as fit into one message: the rest is asked for again.
        waitingScores[position].asked = []
        return goOnScoring()
    }

    mutating func stopWaiting(where condition: (TaskID) -> Bool) -> [Action] {
        waitingScores.removeAll { condition($0.task.task) }
        return goOnScoring()
    }

    /// Enqueues what has all its adapters, and asks for what nobody has asked for.
    private mutating func goOnScoring() -> [Action] {
        var actions: [Action] = []
        var asked = waitingScores.reduce(into: Set<String>()) { $0.formUnion($1.asked) }
        var waiting: [WaitingScore] = []
        for var score in waitingScores {
            let lacking = score.task.adapters.uniqued.filter { adapters[$0] == nil }
            guard !lacking.isEmpty else {
                let bytes = score.task.adapters.compactMap { adapters[$0] }
                adapters.used(score.task.adapters)
                actions += enqueue(.score(score.task, adapters: bytes), task: score.task.task)
                continue
            }
            let new = lacking.filter { !asked.contains($0) }
            if !new.isEmpty {
                asked.formUnion(new)
                score.asked.formUnion(new)
                actions.append(.send(.lacks(task: score.task.task, adapters: new)))
            }
            waiting.append(score)
        }
        waitingScores = waiting
        return actions
    }
}
