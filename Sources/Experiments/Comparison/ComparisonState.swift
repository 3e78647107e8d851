import LanguageModels
import Recommendation
import Unlearning

/// A prompt of a comparison as the model reads it.
struct CasePrompt {
    var sample: TrainingPrompt
    var read: TokenizedPrompt
    var user: Int

    var id: String { sample.id }
    var digest: String { read.digest }
}

/// The data at one moment: before or after a request. All lists are sorted by id.
struct ComparisonState {
    var training: [CasePrompt]
    var validation: [CasePrompt]
    var test: [CasePrompt]

    /// Digest of prompts: a name for caches.
    static func name(_ prompts: [CasePrompt]) -> String {
        ShardManifest(entries: prompts.map { ShardManifest.Entry(id: $0.id, digest: $0.digest) }).digest
    }
}

/// What a request does to a state, in the terms of the methods.
struct ComparisonStep {
    var after: ComparisonState
    var direct: [CasePrompt]
    /// Old and new versions.
    var rebuilt: [(old: CasePrompt, new: CasePrompt, share: Double)]
    var added: [CasePrompt]
    /// Ids of test prompts that were rebuilt or came from another split.
    var spilled: Set<String>

    /// Deleted prompts, and the old versions of rebuilt ones, sorted by id.
    var forgetSet: [CasePrompt] { (direct + rebuilt.map(\.old)).sorted { $0.id < $1.id } }

    var request: InfluenceRequest {
        InfluenceRequest(
            direct: direct.map(\.sample),
            rebuilt: rebuilt.map {
                InfluenceRequest.Rebuilt(old: $0.old.sample, new: $0.new.sample, forgottenShare: $0.share)
            }, added: added.map(\.sample))
    }
}

extension ComparisonState {
    /// - Throws: `UnlearningError.invalidSpecification` when the request names prompts that are not there; `.duplicateSample`.
    func applying(
        _ batch: ForgetBatch, read: (ComparisonPrompt) throws -> CasePrompt
    ) throws -> ComparisonStep {
        let training = try Self.apply(batch.training, to: training, read)
        let validation = try Self.apply(batch.validation, to: validation, read)
        let test = try Self.apply(batch.test, to: test, read)
        return ComparisonStep(
            after: ComparisonState(training: training.after, validation: validation.after, test: test.after),
            direct: training.removed, rebuilt: training.rebuilt, added: training.added,
            spilled: Set(test.rebuilt.map(\.new.id) + test.added.map(\.id)))
    }

    private typealias Applied = (
        after: [CasePrompt], removed: [CasePrompt], rebuilt: [(old: CasePrompt, new: CasePrompt, share: Double)],
        added: [CasePrompt]
    )

    private static func apply(
        _ changes: SplitChanges, to prompts: [CasePrompt], _ read: (ComparisonPrompt) throws -> CasePrompt
    ) throws -> Applied {
        var left: [String: CasePrompt] = [:]
        for prompt in prompts { left[prompt.id] = prompt }
        func take(_ id: String) throws -> CasePrompt {
            guard let prompt = left.removeValue(forKey: id) else {
                throw UnlearningError.invalidSpecification(reason: "a request names prompt \(id), which is not there")
            }
            return prompt
        }
        let removed = try changes.removed.map(take)
        let rebuilt = try changes.replaced.map {
            (old: try take($0.new.prompt.id), new: try read($0.new), share: $0.forgottenShare)
        }
        let added = try changes.added.map(read)
        let after = (left.values + rebuilt.map(\.new) + added).sorted { $0.id < $1.id }
        for (one, next) in zip(after, after.dropFirst()) where one.id == next.id {
            throw UnlearningError.duplicateSample(id: one.id)
        }
        return (after, removed, rebuilt, added)
    }
}
