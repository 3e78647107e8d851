import ClusterTestSupport
import Foundation
import LanguageModels
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

/// A copy of a data directory that the release of commit 671a44b left on disk, and what that release read in it
/// (`Fixtures/make_ledger_671a44b.swift.txt` made both). All keys in it are test keys.
struct OlderDataDirectory {
    enum Kind: String, CaseIterable, Sendable {
        /// Three shards by meaning: two people and one interaction forgotten, a third person's forget and two imports under way.
        case exact
        /// Two shards by user: one forget finished by each approximate method, one bridged and one to be corrected.
        case corrected
    }

    let directory: URL
    let before: Before
    let configuration: ClusterConfiguration
    /// An hour after the release closed it.
    let now = Date(timeIntervalSince1970: 1_790_003_600)
    let executor = Toy.executor()

    init(_ kind: Kind) throws {
        let fixtures = try #require(Bundle.module.resourceURL).appendingPathComponent("Fixtures/ledger-671a44b")
        directory = LedgerFixture().directory
        try FileManager.default.createDirectory(
            at: directory.deletingLastPathComponent(), withIntermediateDirectories: true)
        try FileManager.default.copyItem(at: fixtures.appendingPathComponent(kind.rawValue), to: directory)
        before = try JSONDecoder().decode(
            Before.self, from: Data(contentsOf: fixtures.appendingPathComponent("\(kind.rawValue).before.json")))
        configuration = kind == .exact ? Self.exact : Self.corrected
    }

    private static let exact = ClusterConfiguration(
        training: Toy.specification(seed: 3), embedding: EmbeddingSource(layer: 1, pooling: .last), shards: 3,
        partition: .semantic, seed: 7, rule: .decomposed, whenNoAdapter: .refuse,
        corrections: CorrectionConfiguration(
            e2urec: E2URecConfiguration(alpha: 2, forgetEpochs: 1, pairEpochs: 1, batch: 4),
            ifru: IFRUConfiguration(damping: .relative([0.5, 5]), importance: .margin)))

    private static let corrected = ClusterConfiguration(
        training: Toy.specification(seed: 5), embedding: EmbeddingSource(layer: 0, pooling: .mean), shards: 2,
        partition: .userHash, seed: 1, method: .ifru,
        corrections: CorrectionConfiguration(
            e2urec: E2URecConfiguration(alpha: 2, forgetEpochs: 1, pairEpochs: 1, batch: 4),
            ifru: IFRUConfiguration(tolerance: 1_000)))

    func open() throws -> Ledger {
        try Ledger(directory: directory, configuration: configuration, at: now)
    }

    /// The shards' manifests of today, and how that release named the same prompts: SHA-256 of a line each, sorted.
    func manifests(_ ledger: Ledger) throws -> [String: String] {
        var names: [String: String] = [:]
        for shard in 0..<configuration.shards {
            let manifest = try ledger.manifest(shard: shard)
            let lines = manifest.entries.map { "\($0.id) \($0.digest)\n" }.joined()
            names[manifest.digest] = try LedgerFixture.contentName([UInt8](lines.utf8))
        }
        return names
    }

    /// With that release's names of manifests.
    func described(_ shards: [LedgerSnapshot.Shard], _ ledger: Ledger) throws -> [Before.Shard] {
        let names = try manifests(ledger)
        return shards.map { shard in
            var described = Before.Shard(shard)
            described.manifest = names[described.manifest] ?? described.manifest
            described.trainedManifest = described.trainedManifest.map { names[$0] ?? $0 }
            return described
        }
    }

    /// What a worker makes of the shard's prompts.
    func trained(_ ledger: Ledger, shard: Int) throws -> TrainedAdapter {
        try executor.train(
            prompts: ledger.samples(shard: shard), specification: configuration.training, progress: { _ in },
            isCancelled: { false })
    }

    @discardableResult
    func load(_ rows: [Interaction], into ledger: Ledger, id: String = "again", batch: Int = 0) throws -> ImportOutcome
    {
        try ledger.stage(importID: id, sequence: batch, items: [], interactions: rows, at: now)
        return try ledger.finishImport(
            importID: id, batches: batch + 1, prompts: PromptConfiguration(historyLength: 4), at: now)
    }

    /// Embeddings and partition.
    func deal(_ ledger: Ledger) throws {
        let wanted = try ledger.samplesWithoutEmbedding(limit: 1000)
        try ledger.store(
            embeddings: executor.embed(prompts: wanted, source: configuration.embedding).values,
            of: wanted.map(\.digest), at: now)
        try ledger.partition(at: now)
    }

    func train(_ ledger: Ledger, shard: Int) throws {
        let trained = try trained(ledger, shard: shard)
        try publish(trained, ledger, shard: shard)
    }

    func correct(_ ledger: Ledger, shard: Int) throws {
        let pending = try ledger.correction(shard: shard, manifest: ledger.manifest(shard: shard).digest)
        let corrected = try executor.correct(
            pending, specification: configuration.training, retained: ledger.samples(shard: shard), preparation: nil,
            progress: { _ in }, isCancelled: { false })
        try publish(corrected, ledger, shard: shard)
    }

    private func publish(_ trained: TrainedAdapter, _ ledger: Ledger, shard: Int) throws {
        try ledger.publish(
            shard: shard, bytes: trained.adapter.safetensorsBytes(), report: trained.report,
            trainer: "a worker of today", at: now, contentName: LedgerFixture.contentName)
    }
}

extension [String] {
    /// SHA-256, in hexadecimal, of the lines.
    var digest: String {
        get throws { try LedgerFixture.contentName([UInt8](joined(separator: "\n").utf8)) }
    }
}

extension Ledger {
    /// A table's rows, sorted, values as SQLite quotes them.
    func rows(of table: String, columns: [String]) throws -> [String] {
        let values = columns.map {
            "CASE typeof(\"\($0)\") WHEN 'real' THEN printf('%.9g', \"\($0)\") ELSE quote(\"\($0)\") END"
        }
        return try inspect("SELECT \(values.joined(separator: " || ' ' || ")) FROM \"\(table)\"").sorted()
    }

    func allRows() throws -> [String] {
        let columns = try columns()
        var tables: [String] = []
        for column in columns where tables.last != column.table { tables.append(column.table) }
        return try tables.flatMap { table in
            try rows(of: table, columns: columns.filter { $0.table == table }.map(\.column)).map { "\(table) \($0)" }
        }
    }
}

extension OlderDataDirectory {
    /// Every file's name, mode and SHA-256, but of the database, whose rows count.
    func files() throws -> [String] {
        let names = try FileManager.default.subpathsOfDirectory(atPath: directory.path).sorted()
        return try names.filter { !["ledger.sqlite", "ledger.closed"].contains($0) }.map { name in
            let path = directory.appendingPathComponent(name).path
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int ?? 0
            var bytes = (try? Data(contentsOf: URL(fileURLWithPath: path))).map { [UInt8]($0) } ?? []
            if name == "keys/slots" {
                // Another epoch with every start.
                for place in [12_288..<12_312, 16_384..<16_408] {
                    bytes.replaceSubrange(place, with: [UInt8](repeating: 0, count: place.count))
                }
            }
            return "\(name) \(String(mode, radix: 8)) \(try LedgerFixture.contentName(bytes))"
        }
    }
}
