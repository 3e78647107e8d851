/// What a training in slices leaves on a worker's disk after one of them: it opens with the keys of all people in it.
struct ModelStage: Equatable {
    static let slices = 4

    /// Slices that were trained.
    var slice: Int
    /// Digests.
    var prompts: Set<String>
    var keys: Set<UInt64>
}

extension ModelWorker.Copy {
    /// Of the training on these prompts.
    private var passed: [ModelStage] {
        (1..<ModelStage.slices).map { slice in
            let digests = prompts.filter { simulatedHash("slice " + $0.key) % UInt64(ModelStage.slices) < slice }.values
            return ModelStage(slice: slice, prompts: Set(digests), keys: Set(digests.compactMap { seals[$0] }))
        }
    }

    mutating func keepStages() { stages = passed.filter { !$0.prompts.isEmpty } }

    /// Those that the training on these prompts does not pass, and those that other keys would have to open.
    mutating func dropStages() {
        let passed = passed
        stages.removeAll { !passed.contains($0) }
    }
}
