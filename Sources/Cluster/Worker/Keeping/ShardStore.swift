import Files
import Foundation
import Messages
import Recommendation

/// What a worker keeps of its shards on its disk, sealed: prompts under a key of each person, adapter and preparations under
/// the shard's key, stages under keys made of those of the people in their slices. One thread at a time.
///
/// Keys come with an assignment or a preparation and stay in memory, as do the prompts once they are opened. Until then a
/// shard's header is believed, for the hello. What does not open, or whose person the keys no longer name, counts as not held
/// and goes from the disk. Every file is replaced atomically.
package final class ShardStore {
    /// A shard brought towards a manifest.
    package enum Update: Sendable, Equatable {
        /// Digests of the manifest's prompts that are not held yet.
        case missing([String])
        /// Exactly the manifest's prompts are on the disk, sorted by id.
        case complete([TrainingPrompt])
    }

    let root: String
    var kept: [Int: KeptShard] = [:]
    /// Whose stages shards were last brought to.
    var trainings: [Int: StagedTraining] = [:]
    /// What is known of the bytes of stages that lie here, by shard and name: they are read for it once.
    var stageReports: [Int: [String: StageReport]] = [:]
    /// Shards of an earlier release that were found in clear at the opening, and deleted.
    package private(set) var deletedInClear = 0

    /// Opens the directory; deletes leftovers of interrupted writes and what an earlier release kept in clear.
    package init(directory: String) throws(TaskFailure) {
        root = directory + "/shards"
        guard PrivateFiles.makeDirectory(root) else { throw TaskFailure(FileFailure("cannot make", root)) }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        for shard in names.compactMap(Int.init).sorted() where WireLimits.shards.contains(shard) {
            if try folder(shard).clear() { deletedInClear += 1 }
            try open(shard)
        }
    }

    /// Sorted by shard.
    package var copies: [ShardCopy] {
        kept.keys.sorted().compactMap(copy)
    }

    package func copy(_ shard: Int) -> ShardCopy? {
        var copy = kept[shard]?.copy(shard)
        let stages = folder(shard).contentNames(ShardFolder.stageSuffix).compactMap { $0 }
        copy?.stages = stages.isEmpty || !WireLimits.stages.contains(stages.count) ? nil : stages
        let checkpoints = folder(shard).contentNames(ShardFolder.checkpointSuffix)
        copy?.hasCheckpoint = checkpoints.isEmpty ? nil : true
        return copy
    }

    /// Drops what is not in the manifest, and an adapter trained with it, from the disk; then takes in what is new. All of it
    /// is sealed with these keys afterwards.
    ///
    /// - `keys`: with an owner for each entry of the manifest.
    /// - `training`: whose stages stay, as far as it passes them; nil: none does.
    /// - `offered`: prompts that were asked for; those that the manifest does not name are ignored.
    /// - Throws: with the code `disk-full` or `storage`. Dropped prompts are off the disk also then, if the disk can delete
    ///   at all.
    package func bring(
        shard: Int, to manifest: ShardManifest, keys: ShardKeys, training: StagedTraining? = nil,
        offered: [TrainingPrompt] = []
    ) throws(TaskFailure) -> Update {
        guard keys.owners.count == manifest.entries.count, keys.owners.allSatisfy(keys.people.indices.contains) else {
            throw TaskFailure(code: .invalidTask, message: "prompts of shard \(shard) without an owner")
        }
        guard kept[shard] != nil || PrivateFiles.makeDirectory(folder(shard).path) else {
            throw TaskFailure(FileFailure("cannot make", folder(shard).path))
        }
        let owners = Dictionary(
            zip(manifest.entries, keys.owners).map { ($0.digest, keys.people[$1].name) },
            uniquingKeysWith: { first, _ in first })
        var known = Set<String>()
        func take(_ prompt: TrainingPrompt, _ digest: String) -> OwnedPrompt? {
            guard let person = owners[digest], known.insert(digest).inserted else { return nil }
            return OwnedPrompt(prompt: prompt, digest: digest, person: person)
        }
        trainings[shard] = training
        let secrets = ShardSecrets(keys)
        let held = held(shard, secrets)
        let staying = held.contents.owned.compactMap { take($0.prompt, $0.digest) }
        let added = offered.compactMap { take($0, $0.digest) }
        try settleStages(shard, held, becoming: staying + added, secrets, training)
        try settle(shard, held, staying: staying, secrets)
        if !added.isEmpty || kept[shard] == nil {
            try deleteResults(shard)
            try write(ShardContents(staying + added), shard: shard, secrets)
        }
        let missing = manifest.entries.map(\.digest).filter { !known.contains($0) }
        return missing.isEmpty ? .complete(kept[shard]?.contents?.prompts ?? []) : .missing(missing)
    }

    /// The shard's prompts, if they are exactly those of the manifest.
    ///
    /// - `keys`: without owners; what they do not open goes from the disk.
    /// - Throws: as `bring`.
    package func prompts(
        shard: Int, manifest: String, keys: ShardKeys
    ) throws(TaskFailure) -> [TrainingPrompt]? {
        guard kept[shard] != nil else { return nil }
        let secrets = ShardSecrets(keys)
        let held = held(shard, secrets)
        let staying = held.contents.owned.filter { secrets.people[$0.person] != nil }
        if held.secrets?.areSame(as: secrets, for: held.contents.people) != true { try deleteStages(shard) }
        try settle(shard, held, staying: staying, secrets)
        guard let contents = kept[shard]?.contents, contents.digest == manifest else { return nil }
        return contents.prompts
    }

    /// Deletes everything that is held of the shard, and forgets its keys.
    package func remove(shard: Int) throws(TaskFailure) {
        kept[shard]?.close()
        trainings[shard] = nil
        try deleteStages(shard)
        try deleteResults(shard)
        try KeptFile.remove(folder(shard).prompts)
        kept[shard] = nil
        guard rmdir(folder(shard).path) == 0 || errno == ENOENT || errno == ENOTEMPTY else {
            throw TaskFailure(FileFailure("cannot delete", folder(shard).path))
        }
        try KeptFile.syncDirectory(root)
    }

    /// As after a start: nothing but the headers is known until keys come.
    package func forgetKeys() {
        for shard in kept.keys.sorted() { kept[shard]?.close() }
        trainings = [:]
    }

    func folder(_ shard: Int) -> ShardFolder { ShardFolder(path: "\(root)/\(shard)") }

    private func open(_ shard: Int) throws(TaskFailure) {
        let folder = folder(shard)
        guard let file = AtomicFile.contents(folder.prompts), let (header, _) = SealedPrompts.parse(file) else {
            return try remove(shard: shard)
        }
        kept[shard] = KeptShard(prompts: .sealed(header))
        // What is there is of exactly these prompts: it is deleted before any of them is. Two were never kept.
        for (suffix, field) in [
            (ShardFolder.adapterSuffix, \KeptShard.adapter), (ShardFolder.preparationSuffix, \.preparation),
        ] {
            let found = folder.contentNames(suffix)
            if found.count == 1, let name = found[0] {
                kept[shard]?[keyPath: field] = name
            } else {
                try folder.remove(suffix)
            }
        }
    }
}
