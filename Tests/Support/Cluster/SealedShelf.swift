import Foundation
import Messages
import Recommendation
import Unlearning
import Worker

/// A directory with shard 2 of a worker in it, and the few things that tests do with it.
package final class SealedShelf {
    package let directory = Toy.temporaryDirectory()
    package let adapterName = "name"
    package let tensors = [UInt8]("tensors that only some may read".utf8)

    package init() {}

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// A store that holds the prompts as shard 2 and an adapter of them.
    package func filled(_ prompts: [TrainingPrompt], keys: ShardKeys? = nil) throws -> ShardStore {
        let store = try ShardStore(directory: directory)
        _ = try bring(prompts, keys: keys, offered: prompts, in: store)
        try save(prompts, in: store)
        return store
    }

    package func bring(
        _ prompts: [TrainingPrompt], keys: ShardKeys? = nil, offered: [TrainingPrompt] = [], in store: ShardStore
    ) throws -> ShardStore.Update {
        try store.bring(
            shard: 2, to: Toy.manifest(prompts), keys: keys ?? Toy.keys(prompts), offered: offered)
    }

    package func save(_ prompts: [TrainingPrompt], in store: ShardStore) throws {
        try store.save(shard: 2, adapter: tensors, report: report(prompts), arithmetic: "x")
    }

    package func report(_ prompts: [TrainingPrompt]) -> TrainingReport {
        TrainingReport(
            adapter: adapterName, manifest: Toy.manifest(prompts).digest, prompts: prompts.count,
            specification: Toy.specification(), steps: 1, tokens: 2, seconds: 0.1, computeSeconds: 0.1,
            epochLosses: [0.1])
    }

    package func path(_ name: String) -> String { "\(directory)/shards/2/\(name)" }

    /// Of the shard's files, sorted; empty where there is no folder.
    package var names: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(directory)/shards/2")) ?? []).sorted()
    }

    /// Of the file with the prompts.
    package func bytes(_ name: String = "prompts.sealed") throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path(name))))
    }

    package func write(_ bytes: [UInt8], _ name: String = "prompts.sealed") throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
    }

    /// The shard's files by name.
    package func files() throws -> [String: [UInt8]] {
        Dictionary(uniqueKeysWithValues: try names.map { ($0, try bytes($0)) })
    }

    /// Makes the shard's folder hold exactly these files.
    package func put(_ files: [String: [UInt8]]) throws {
        let folder = "\(directory)/shards/2"
        try? FileManager.default.removeItem(atPath: folder)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (name, bytes) in files { try write(bytes, name) }
    }
}
