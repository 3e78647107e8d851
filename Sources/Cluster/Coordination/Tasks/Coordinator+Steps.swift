import Messages

/// How many steps a task can have: its worker gets on for no more.
extension Coordinator {
    /// Steps that the task's worker may tell of; nil: they are counted in some other way.
    func mostSteps(of task: CoordinatorTask) -> Int? {
        switch task.kind {
        case .train(let index, _), .check(let index, _): shard(index).map { trainingSteps(on: $0.prompts) }
        // Data of before may be more than the shard has now.
        case .part(let part) where part.isReplay: trainingSteps(on: snapshot.trainingPrompts)
        case .part(let part): part.comparisonCase == nil ? 0 : nil
        case .correct, .prepare: nil
        case .copy, .values: 0
        }
    }

    /// Of a training on so many prompts at most, in however many slices.
    private func trainingSteps(on prompts: Int) -> Int {
        let training = settings.configuration.training
        return training.epochs * (prompts / max(1, training.batch) + training.slices)
    }
}
