import Crypto
import Files
import Foundation
import LanguageModels
import Messages
import Recommendation
import Unlearning

/// What a worker keeps of its shards on its disk. One thread at a time.
///
/// A shard's directory `shards/<number>/` holds `prompts.jsonl` (a line that names the manifest, then one prompt a line,
/// sorted by id), and once it is trained `adapter.safetensors` and `adapter.json`, which says from what it was trained. IFRU's
/// preparation lies beside them as `<adapter's content name>.preparation`; it is made from people's prompts, so it goes
/// as soon as a prompt does. Every file is replaced atomically. Files that contradict their digests are deleted and count as not held.
package final class ShardStore {
    /// A shard brought towards a manifest.
    package enum Update: Sendable, Equatable {
        /// Digests of the manifest's prompts that are not held yet.
        case missing([String])
        /// Exactly the manifest's prompts are on the disk, sorted by id.
        case complete([TrainingPrompt])
    }

    private struct Header: Codable {
        var format: String
        var manifest: String
        var prompts: Int
    }

    /// Prompts sorted by id, with their manifest: computing digests takes longer than anything else here.
    private struct Contents {
        var prompts: [TrainingPrompt]
        var manifest: ShardManifest

        init(_ prompts: [TrainingPrompt]) {
            self.prompts = prompts.sorted { $0.id < $1.id }
            manifest = ShardManifest(
                entries: self.prompts.map { ShardManifest.Entry(id: $0.id, digest: $0.digest) })
        }
    }

    private static let format = "lethe-shard-1"
    private static let preparationSuffix = ".preparation"
    private let root: String
    private var contents: [Int: Contents] = [:]
    private var trainings: [Int: StoredTraining] = [:]
    /// Content name of the adapter that is prepared for.
    private var preparations: [Int: String] = [:]

    /// Opens the directory, deletes leftovers of interrupted writes and recomputes every digest.
    package init(directory: String) throws(TaskFailure) {
        root = directory + "/shards"
        guard PrivateFiles.makeDirectory(root) else { throw TaskFailure(FileFailure("cannot make", root)) }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
        for shard in names.compactMap(Int.init).sorted() where shard >= 0 {
            try open(shard)
        }
    }

    /// Sorted by shard.
    package var copies: [ShardCopy] {
        contents.keys.sorted().compactMap(copy)
    }

    package func copy(_ shard: Int) -> ShardCopy? {
        contents[shard].map { contents in
            ShardCopy(
                shard: shard, manifest: contents.manifest.digest, prompts: contents.prompts.count,
                adapter: trainings[shard]?.report.adapter, prepared: preparations[shard])
        }
    }

    /// Drops what is not in the manifest, and an adapter trained with it, from the disk; then takes in what is new.
    ///
    /// - `offered`: prompts that were asked for; those that the manifest does not name are ignored.
    /// - Throws: with the code `disk-full` or `storage`. Dropped prompts are off the disk also then, if the disk can delete
    ///   at all.
    package func bring(
        shard: Int, to manifest: ShardManifest, offered: [TrainingPrompt] = []
    ) throws(TaskFailure) -> Update {
        let directory = path(shard)
        guard contents[shard] != nil || PrivateFiles.makeDirectory(directory) else {
            throw TaskFailure(FileFailure("cannot make", directory))
        }
        let held = contents[shard] ?? Contents([])
        let wanted = Set(manifest.entries.map(\.digest))
        var known = Set<String>()
        let kept = zip(held.prompts, held.manifest.entries).compactMap { prompt, entry in
            wanted.contains(entry.digest) && known.insert(entry.digest).inserted ? prompt : nil
        }
        let added = offered.filter {
            let digest = $0.digest
            return wanted.contains(digest) && known.insert(digest).inserted
        }
        if kept.count < held.prompts.count || !added.isEmpty || contents[shard] == nil {
            try deleteAdapter(shard)
            try deletePreparations(shard)
            if kept.count < held.prompts.count { try replaceOrDelete(kept, shard: shard) }
            if !added.isEmpty || contents[shard] == nil { try write(kept + added, shard: shard) }
        }
        let missing = manifest.entries.map(\.digest).filter { !known.contains($0) }
        return missing.isEmpty ? .complete(contents[shard]?.prompts ?? []) : .missing(missing)
    }

    /// Keeps the adapter that was trained from what the shard holds now; refuses one of another manifest.
    package func save(
        shard: Int, adapter: [UInt8], report: TrainingReport, arithmetic: String
    ) throws(TaskFailure) {
        guard copy(shard)?.manifest == report.manifest else {
            throw TaskFailure(code: .storage, message: "shard \(shard) no longer holds what was trained")
        }
        try deleteAdapter(shard)
        let training = StoredTraining(arithmetic: arithmetic, report: report, file: sha256(adapter))
        let description: [UInt8]
        do throws(WireError) {
            description = try WireJSON.encode(training, kind: "adapter.json")
        } catch {
            throw TaskFailure(code: .storage, message: "\(error)")
        }
        try KeptFile.write(adapter, to: path(shard) + "/adapter.safetensors")
        try KeptFile.write(description, to: path(shard) + "/adapter.json")
        trainings[shard] = training
    }

    /// The kept adapter, if it is the one that this specification and arithmetic give.
    package func training(
        shard: Int, specification: TrainingSpecification, arithmetic: String
    ) -> (report: TrainingReport, adapter: [UInt8])? {
        guard let training = trainings[shard], training.report.specification == specification,
            training.arithmetic == arithmetic,
            let bytes = AtomicFile.contents(path(shard) + "/adapter.safetensors"), sha256(bytes) == training.file
        else { return nil }
        return (training.report, bytes)
    }

    /// The shard's prompts, if they are exactly those of the manifest.
    package func prompts(shard: Int, manifest: String) -> [TrainingPrompt]? {
        guard let held = contents[shard], held.manifest.digest == manifest else { return nil }
        return held.prompts
    }

    /// Keeps a preparation that was made from what the shard holds now, in place of any other.
    package func keep(_ preparation: InfluencePreparation, shard: Int, manifest: String) throws(TaskFailure) {
        guard contents[shard]?.manifest.digest == manifest, Self.isName(preparation.adapter) else {
            throw TaskFailure(code: .storage, message: "shard \(shard) no longer holds what was prepared")
        }
        try deletePreparations(shard)
        do {
            try preparation.write(to: URL(fileURLWithPath: preparationPath(shard, preparation.adapter)))
        } catch {
            throw TaskFailure(code: .storage, message: "cannot keep the preparation of shard \(shard)")
        }
        preparations[shard] = preparation.adapter
    }

    /// nil when there is none for the adapter, or none that can be read.
    package func preparation(shard: Int, adapter: String) -> InfluencePreparation? {
        guard preparations[shard] == adapter else { return nil }
        return try? InfluencePreparation(
            contentsOf: URL(fileURLWithPath: preparationPath(shard, adapter)))
    }

    private func preparationPath(_ shard: Int, _ adapter: String) -> String {
        "\(path(shard))/\(adapter)\(Self.preparationSuffix)"
    }

    private static func isName(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
    }

    /// Also those that a killed process began to write.
    private func deletePreparations(_ shard: Int) throws(TaskFailure) {
        preparations[shard] = nil
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path(shard))) ?? []
        let found = names.sorted().filter { $0.contains(Self.preparationSuffix) }
        for name in found { try KeptFile.remove(path(shard) + "/" + name) }
        if !found.isEmpty { try KeptFile.syncDirectory(path(shard)) }
    }

    /// Deletes everything that is held of the shard.
    package func remove(shard: Int) throws(TaskFailure) {
        try deleteAdapter(shard)
        try deletePreparations(shard)
        try KeptFile.remove(path(shard) + "/prompts.jsonl")
        contents[shard] = nil
        guard rmdir(path(shard)) == 0 || errno == ENOENT || errno == ENOTEMPTY else {
            throw TaskFailure(FileFailure("cannot delete", path(shard)))
        }
        try KeptFile.syncDirectory(root)
    }

    private func path(_ shard: Int) -> String { "\(root)/\(shard)" }

    private func deleteAdapter(_ shard: Int) throws(TaskFailure) {
        trainings[shard] = nil
        // The description first: tensors without it count as nothing.
        try KeptFile.remove(path(shard) + "/adapter.json")
        try KeptFile.remove(path(shard) + "/adapter.safetensors")
        if contents[shard] != nil { try KeptFile.syncDirectory(path(shard)) }
    }

    /// Writes fewer prompts. A disk too full even for that loses the file: what is dropped must not stay, and the rest can
    /// be asked for again.
    private func replaceOrDelete(_ prompts: [TrainingPrompt], shard: Int) throws(TaskFailure) {
        do throws(TaskFailure) {
            try write(prompts, shard: shard)
        } catch {
            try KeptFile.remove(path(shard) + "/prompts.jsonl")
            try KeptFile.syncDirectory(path(shard))
            contents[shard] = Contents([])
            throw error
        }
    }

    private func write(_ prompts: [TrainingPrompt], shard: Int) throws(TaskFailure) {
        let contents = Contents(prompts)
        let header = Header(format: Self.format, manifest: contents.manifest.digest, prompts: prompts.count)
        var bytes: [UInt8] = []
        do throws(WireError) {
            bytes += try WireJSON.encode(header, kind: "prompts.jsonl")
            for prompt in contents.prompts {
                bytes.append(UInt8(ascii: "\n"))
                bytes += try WireJSON.encode(prompt, kind: "prompts.jsonl")
            }
        } catch {
            throw TaskFailure(code: .storage, message: "\(error)")
        }
        bytes.append(UInt8(ascii: "\n"))
        try KeptFile.write(bytes, to: path(shard) + "/prompts.jsonl")
        self.contents[shard] = contents
    }

    private func open(_ shard: Int) throws(TaskFailure) {
        let directory = path(shard)
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
        for name in names where name.hasSuffix(AtomicFile.temporarySuffix) {
            try KeptFile.remove(directory + "/" + name)
        }
        guard let held = Self.contents(AtomicFile.contents(directory + "/prompts.jsonl")) else {
            try remove(shard: shard)
            return
        }
        contents[shard] = held
        if let training = Self.training(in: directory, prompts: held.prompts.count),
            training.report.manifest == held.manifest.digest
        {
            trainings[shard] = training
        } else {
            try deleteAdapter(shard)
        }
        // One that is there is of exactly these prompts: it is deleted before any of them is.
        let prepared = names.filter { $0.contains(Self.preparationSuffix) }
        if prepared.count == 1, let file = prepared.first, file.hasSuffix(Self.preparationSuffix),
            Self.isName(String(file.dropLast(Self.preparationSuffix.count)))
        {
            preparations[shard] = String(file.dropLast(Self.preparationSuffix.count))
        } else {
            try deletePreparations(shard)
        }
    }

    /// nil unless the file is whole and its digests are right.
    private static func contents(_ bytes: [UInt8]?) -> Contents? {
        guard let bytes, bytes.last == UInt8(ascii: "\n") else { return nil }
        let lines = bytes.dropLast().split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard let first = lines.first,
            let header = try? WireJSON.decode(Header.self, from: first, kind: "prompts.jsonl"),
            header.format == format, header.prompts == lines.count - 1
        else { return nil }
        var prompts: [TrainingPrompt] = []
        for line in lines.dropFirst() {
            guard let prompt = try? WireJSON.decode(TrainingPrompt.self, from: line, kind: "prompts.jsonl") else {
                return nil
            }
            prompts.append(prompt)
        }
        let contents = Contents(prompts)
        return contents.manifest.digest == header.manifest ? contents : nil
    }

    private static func training(in directory: String, prompts: Int) -> StoredTraining? {
        guard let description = AtomicFile.contents(directory + "/adapter.json"),
            let training = StoredTraining(json: description, prompts: prompts),
            let bytes = AtomicFile.contents(directory + "/adapter.safetensors"), sha256(bytes) == training.file
        else { return nil }
        return training
    }
}
