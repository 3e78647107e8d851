import Coordination
import Crypto
import Foundation
import LanguageModels
import Ledger
import Messages
import Recommendation
import Unlearning
import Worker

/// SplitMix64: the same numbers in every process.
package struct SeededNumbers: RandomNumberGenerator {
    package var state: UInt64

    package init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Small ratings data: every user rates some of the items, once each.
package struct SyntheticRatings {
    package var items: [Item]
    package var interactions: [Interaction]

    /// - Parameter largest: most interactions of a user; the smallest has 6.
    package init(users: Int, items count: Int = 60, largest: Int = 24, seed: UInt64) {
        var numbers = SeededNumbers(seed)
        items = (0..<count).map { Item(id: "m\($0)", title: "Film \($0) (\(1950 + $0))") }
        interactions = []
        for user in 0..<users {
            let rated = items.shuffled(using: &numbers).prefix(Int.random(in: 6...largest, using: &numbers))
            for item in rated {
                interactions.append(
                    Interaction(
                        user: "u\(user)", item: item.id, timestamp: Int64.random(in: 0..<40, using: &numbers),
                        rating: Double(Int.random(in: 1...5, using: &numbers)), ordinal: 0))
            }
        }
        interactions.shuffle(using: &numbers)
        for index in interactions.indices { interactions[index].ordinal = Int64(index) }
    }

    package func without(users: Set<String> = [], interactions gone: Set<InteractionKey> = []) -> SyntheticRatings {
        var copy = self
        copy.interactions.removeAll { users.contains($0.user) || gone.contains($0.key) }
        return copy
    }
}

/// A data directory that goes away with the tests.
package final class LedgerFixture {
    package let directory: URL
    package var partition: PartitionMethod
    package var shards: Int
    package var prompts: PromptConfiguration
    package var epochs = 2
    package var slices = 1
    package var heldOut = 0.0
    package var whileRetraining = ClusterConfiguration.WhileRetraining.stage
    package var referencePrompts = ClusterConfiguration.usualReferencePrompts
    package let now = Date(timeIntervalSince1970: 1_790_000_000)

    package init(
        partition: PartitionMethod = .userHash, shards: Int = 3,
        prompts: PromptConfiguration = PromptConfiguration(historyLength: 4)
    ) {
        directory = Self.parent.appendingPathComponent(UUID().uuidString)
        self.partition = partition
        self.shards = shards
        self.prompts = prompts
    }

    /// Removed when the process ends and not with the fixture: a ledger that outlives it would find its directory gone.
    private static let parent: URL = {
        atexit { try? FileManager.default.removeItem(at: LedgerFixture.parent) }
        return FileManager.default.temporaryDirectory.appendingPathComponent(
            "lethe-ledgers-\(ProcessInfo.processInfo.processIdentifier)")
    }()

    package var configuration: ClusterConfiguration {
        ClusterConfiguration(
            training: TrainingSpecification(
                base: "base", precision: .f32, epochs: epochs, heldOut: heldOut, slices: slices),
            embedding: EmbeddingSource(layer: 2, pooling: .last), shards: shards, partition: partition, seed: 7,
            whileRetraining: whileRetraining, referencePrompts: referencePrompts)
    }

    package func open(at folder: URL? = nil) throws -> Ledger {
        try Ledger(directory: folder ?? directory, configuration: configuration, at: now)
    }

    @discardableResult
    package func load(_ data: SyntheticRatings, into ledger: Ledger, id: String = "import", changePrompts: Bool = false)
        throws
        -> ImportOutcome
    {
        try ledger.stage(importID: id, sequence: 0, items: data.items, interactions: [], at: now)
        var batches = 1
        for start in stride(from: 0, to: data.interactions.count, by: 100) {
            let rows = Array(data.interactions[start..<min(start + 100, data.interactions.count)])
            try ledger.stage(importID: id, sequence: batches, items: [], interactions: rows, at: now)
            batches += 1
        }
        return try ledger.finishImport(
            importID: id, batches: batches, prompts: prompts, changePrompts: changePrompts, at: now)
    }

    /// A ledger with data, partition, adapters, reference rows and tuning: everything there is to forget.
    package func trained(_ data: SyntheticRatings) throws -> Ledger {
        let ledger = try open()
        try load(data, into: ledger)
        try prepare(ledger)
        return ledger
    }

    /// Does the work that the coordinator would let workers do.
    package func prepare(_ ledger: Ledger) throws {
        try embed(ledger)
        if try ledger.snapshot().unassignedPrompts > 0 { try ledger.partition(at: now) }
        for shard in try ledger.snapshot().shards where !shard.isCurrent { try publish(ledger, shard: shard.index) }
        try score(ledger)
        try tune(ledger)
    }

    package func embed(_ ledger: Ledger) throws {
        while true {
            let wanted = try ledger.samplesWithoutEmbedding(limit: 50)
            if wanted.isEmpty { return }
            try ledger.store(
                embeddings: wanted.flatMap { LedgerFixture.embedding($0.digest) }, of: wanted.map(\.digest), at: now)
        }
    }

    /// Stands for training: bytes that follow from the manifest.
    @discardableResult
    package func publish(_ ledger: Ledger, shard: Int) throws -> String {
        let bytes = LedgerFixture.adapter(shard, try ledger.manifest(shard: shard).digest)
        return try ledger.publish(
            shard: shard, bytes: bytes, report: report(of: bytes, shard: shard, ledger), at: now,
            contentName: LedgerFixture.contentName)
    }

    package func score(_ ledger: Ledger) throws {
        for adapter in try ledger.adapters() {
            let wanted = try ledger.referencePrompts(adapter: adapter.name, limit: 10_000)
            try ledger.store(
                margins: wanted.map { LedgerFixture.embedding($0.digest + adapter.name)[0] }, of: wanted.map(\.digest),
                adapter: adapter.name, at: now)
        }
    }

    package func tune(_ ledger: Ledger) throws {
        try ledger.store(
            tuning: SampleAdaptiveAttention.Parameters(tau: 10, neighbours: 20), chosenOn: ledger.attentionTable(),
            at: now)
    }

    /// What a worker says of bytes that it trained from the shard's present manifest.
    package func report(of bytes: [UInt8], shard: Int, _ ledger: Ledger) throws -> TrainingReport {
        let manifest = try ledger.manifest(shard: shard)
        return TrainingReport(
            adapter: try LedgerFixture.contentName(bytes), manifest: manifest.digest, prompts: manifest.entries.count,
            specification: configuration.training, steps: 4, tokens: 1000, seconds: 2, computeSeconds: 2,
            epochLosses: [0.7, 0.6])
    }

    package static func adapter(_ shard: Int, _ manifest: String) -> [UInt8] {
        Array("weights of \(shard) \(manifest)".utf8)
    }

    package static func contentName(_ bytes: [UInt8]) throws -> String {
        SHA256.hash(data: bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    package static func embedding(_ digest: String) -> [Float] {
        SHA256.hash(data: Array(digest.utf8)).prefix(4).map { Float($0) / 128 - 1 }
    }

    package static func forget(users: [String]) -> ClientRequest.ForgetRequest {
        ClientRequest.ForgetRequest(users: users, interactions: [])
    }

    package static func forget(_ key: InteractionKey) -> ClientRequest.ForgetRequest {
        ClientRequest.ForgetRequest(
            users: [],
            interactions: [
                ClientRequest.ForgetRequest.Target(user: key.user, item: key.item, timestamp: key.timestamp)
            ])
    }

    /// The files as they are, as a process that is killed now would leave them.
    package func copyOfFiles() throws -> URL {
        let copy = directory.appendingPathExtension("copy-\(UUID().uuidString)")
        try FileManager.default.copyItem(at: directory, to: copy)
        return copy
    }

    /// Files below the directory that hold the bytes of any of the texts, with the text.
    package func traces(of texts: [String]) throws -> [String] {
        var found: [String] = []
        let files = FileManager.default.enumerator(at: directory, includingPropertiesForKeys: nil)
        while let file = files?.nextObject() as? URL {
            guard let bytes = try? Data(contentsOf: file) else { continue }
            for text in texts where bytes.range(of: Data(text.utf8)) != nil {
                found.append("\(file.lastPathComponent): \(text)")
            }
        }
        return found
    }
}
