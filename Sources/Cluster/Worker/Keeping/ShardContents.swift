import Recommendation

/// A shard's prompts in memory. Computing digests takes longer than anything else here: they are kept, with the manifest.
struct ShardContents: Sendable {
    /// Sorted by id.
    let prompts: [TrainingPrompt]
    /// Of each prompt, the name of its person's key.
    let people: [UInt64]
    let manifest: ShardManifest
    let digest: String

    static let empty = ShardContents([])

    init(_ owned: [OwnedPrompt]) {
        let sorted = owned.sorted { $0.prompt.id < $1.prompt.id }
        prompts = sorted.map(\.prompt)
        people = sorted.map(\.person)
        manifest = ShardManifest(
            entries: sorted.map { ShardManifest.Entry(id: $0.prompt.id, digest: $0.digest) })
        digest = manifest.digest
    }

    var owned: [OwnedPrompt] {
        prompts.indices.map {
            OwnedPrompt(prompt: prompts[$0], digest: manifest.entries[$0].digest, person: people[$0])
        }
    }
}

struct OwnedPrompt: Sendable {
    var prompt: TrainingPrompt
    /// `TrainingPrompt.digest`
    var digest: String
    /// Name of the person's key.
    var person: UInt64
}
