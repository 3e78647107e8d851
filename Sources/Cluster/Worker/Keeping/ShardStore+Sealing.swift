import Files
import Messages
import Recommendation

/// From what lies on the disk to what may lie there under the present keys.
extension ShardStore {
    /// What is held of a shard: from memory, or what the keys open.
    struct Held {
        var contents: ShardContents
        /// What the file is sealed with; nil where it holds anything else.
        var secrets: ShardSecrets?
        /// The keys came after a start, so that nothing beside the prompts was opened yet.
        var wasSealed: Bool
    }

    func held(_ shard: Int, _ secrets: ShardSecrets) -> Held {
        switch kept[shard]?.prompts {
        case nil: return Held(contents: .empty, secrets: secrets, wasSealed: false)
        case .open(let contents, let present): return Held(contents: contents, secrets: present, wasSealed: false)
        case .sealed:
            let (contents, isExact) = SealedPrompts.open(
                AtomicFile.contents(folder(shard).prompts), shard: shard, secrets)
            return Held(contents: contents, secrets: isExact ? secrets : nil, wasSealed: true)
        }
    }

    /// Leaves on the disk, of what was held, exactly what stays, sealed with these keys; adapter and preparations only if
    /// nothing went and the shard's key opens them.
    func settle(
        _ shard: Int, _ held: Held, staying: [OwnedPrompt], _ secrets: ShardSecrets
    ) throws(TaskFailure) {
        guard kept[shard] != nil else { return }
        let isEverything = held.secrets != nil && staying.count == held.contents.prompts.count
        if !isEverything || !opensResults(shard, held, secrets) { try deleteResults(shard) }
        let people = staying.map(\.person)
        if isEverything, people == held.contents.people, held.secrets?.areSame(as: secrets, for: people) == true {
            kept[shard]?.prompts = .open(held.contents, secrets)
        } else {
            try replaceOrDelete(ShardContents(staying), shard: shard, secrets)
        }
    }

    private func opensResults(_ shard: Int, _ held: Held, _ secrets: ShardSecrets) -> Bool {
        guard held.wasSealed else { return held.secrets?.shard == secrets.shard }
        if let name = kept[shard]?.adapter {
            let adapter = adapter(name, shard: shard, key: secrets.shard)
            guard adapter?.description.report.manifest == held.contents.digest else { return false }
        }
        if let name = kept[shard]?.preparation {
            guard preparation(of: name, shard: shard, key: secrets.shard) != nil else { return false }
        }
        return true
    }

    /// Writes fewer prompts, or the same under other keys. A disk too full even for that loses the file: what is dropped must
    /// not stay, and the rest can be asked for again.
    private func replaceOrDelete(
        _ contents: ShardContents, shard: Int, _ secrets: ShardSecrets
    ) throws(TaskFailure) {
        do throws(TaskFailure) {
            try write(contents, shard: shard, secrets)
        } catch {
            kept[shard]?.prompts = .open(.empty, secrets)
            try deleteStages(shard)
            try deleteResults(shard)
            try KeptFile.remove(folder(shard).prompts)
            try KeptFile.syncDirectory(folder(shard).path)
            throw error
        }
    }

    func write(_ contents: ShardContents, shard: Int, _ secrets: ShardSecrets) throws(TaskFailure) {
        try SealedPrompts.write(contents, to: folder(shard).prompts, shard: shard, secrets)
        kept[shard] = KeptShard(
            prompts: .open(contents, secrets), adapter: kept[shard]?.adapter, preparation: kept[shard]?.preparation)
    }
}
