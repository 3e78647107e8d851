import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

@Suite("Ledger: partition, adapters and attention")
struct LedgerAdapterTests {
    @Test("A partition computed from the data needs all embeddings, deals every training prompt and is kept")
    func semantic() throws {
        let fixture = LedgerFixture(partition: .semantic)
        let data = SyntheticRatings(users: 16, seed: 1)
        let ledger = try fixture.open()
        #expect(throws: LedgerError.nothingToPartition) { try ledger.partition(at: fixture.now) }
        try fixture.load(data, into: ledger)
        let start = try ledger.snapshot()
        #expect(start.missingEmbeddings == start.trainingPrompts + start.validationPrompts && !start.isPartitioned)
        #expect(throws: LedgerError.embeddingsMissing(count: start.trainingPrompts)) {
            try ledger.partition(at: fixture.now)
        }
        try fixture.embed(ledger)
        #expect(try ledger.partition(at: fixture.now) == [0, 1, 2])
        let dealt = try ledger.snapshot()
        #expect(dealt.isPartitioned && dealt.unassignedPrompts == 0 && dealt.missingEmbeddings == 0)
        #expect(dealt.shards.map(\.prompts).max()! - dealt.shards.map(\.prompts).min()! <= 2)
        let prompts = try ledger.prompts(split: .train)
        let reference = try BalancedPartition(
            method: .semantic, samples: prompts.map { PartitionSample(id: $0.prompt.id, user: $0.prompt.user) },
            embeddings: prompts.flatMap { LedgerFixture.embedding($0.digest) }, dimension: 4, shards: 3, seed: 7)
        for stored in prompts {
            let sample = PartitionSample(id: stored.prompt.id, user: stored.prompt.user)
            #expect(stored.shard == reference.shard(of: sample))
        }
        #expect(try ledger.partition(at: fixture.now).isEmpty)
    }

    @Test("New prompts join the recorded partition, and nobody moves", arguments: [PartitionMethod.semantic, .user])
    func sticky(partition: PartitionMethod) throws {
        let fixture = LedgerFixture(partition: partition)
        var data = SyntheticRatings(users: 16, seed: 2)
        let ledger = try fixture.trained(data)
        let before = Dictionary(
            uniqueKeysWithValues: try ledger.prompts(split: .train).map { ($0.prompt.id, $0.shard) })
        var more = SyntheticRatings(users: 6, seed: 3)
        for index in more.interactions.indices { more.interactions[index].user = "new-\u{C9}\(index % 6)" }
        data.interactions += more.interactions
        try fixture.load(data, into: ledger, id: "more")
        #expect(try ledger.snapshot().unassignedPrompts > 0)
        try fixture.prepare(ledger)
        let after = try ledger.prompts(split: .train)
        #expect(after.count > before.count && after.allSatisfy { $0.shard != nil })
        for stored in after { if let shard = before[stored.prompt.id] { #expect(stored.shard == shard) } }
        if partition == .user {
            let byUser = Dictionary(grouping: after) { $0.prompt.user }
            #expect(byUser.values.allSatisfy { Set($0.map(\.shard)).count == 1 })
        }
        let loads = try ledger.snapshot().shards.map(\.prompts)
        #expect(loads.reduce(0, +) == after.count && loads.min()! > 0)
    }

    @Test("Under the hash methods prompts have their shard at import and only validation prompts need embeddings")
    func hashed() throws {
        let fixture = LedgerFixture(partition: .hash)
        let ledger = try fixture.open()
        try fixture.load(SyntheticRatings(users: 16, seed: 4), into: ledger)
        let snapshot = try ledger.snapshot()
        #expect(snapshot.isPartitioned && snapshot.missingEmbeddings == snapshot.validationPrompts)
        #expect(snapshot.shards.allSatisfy { $0.prompts > 0 })
        #expect(try ledger.partition(at: fixture.now).isEmpty)
    }

    @Test("A shard's manifest, samples and single prompts agree")
    func manifests() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 16, seed: 5))
        let all = try (0..<3).flatMap { try ledger.samples(shard: $0) }
        #expect(try ledger.allTrainingSamples() == all.sorted { $0.id < $1.id })
        #expect(
            try ledger.manifestOfAllTrainingPrompts().entries.map(\.digest) == ledger.allTrainingSamples().map(\.digest)
        )
        for shard in 0..<3 {
            let manifest = try ledger.manifest(shard: shard)
            #expect(try manifest.digest == ledger.snapshot().shards[shard].manifest)
            let samples = try ledger.samples(shard: shard)
            #expect(samples.map(\.digest) == manifest.entries.map(\.digest))
            let wanted = manifest.entries.reversed().map(\.digest)
            #expect(try ledger.trainingPrompts(shard: shard, digests: wanted + ["gone"]) == samples.reversed())
            #expect(try ledger.trainingPrompts(shard: (shard + 1) % 3, digests: wanted).isEmpty)
        }
        #expect(throws: LedgerError.unknownShard(3)) { try ledger.manifest(shard: 3) }
    }

    @Test("A published adapter is durable under its content name; the one it replaces goes")
    func publish() throws {
        let fixture = LedgerFixture()
        var data = SyntheticRatings(users: 16, seed: 6)
        let ledger = try fixture.trained(data)
        let old = try ledger.adapters()
        #expect(try fixture.publish(ledger, shard: 0) == old[0].name)
        #expect(try ledger.adapters() == old)
        let bytes = LedgerFixture.adapter(0, old[0].manifest)
        #expect(try ledger.adapterBytes(name: old[0].name) == bytes)
        data.items[0].title = "Changed"
        let changed = try fixture.load(data, into: ledger, id: "titles").shardsChanged
        #expect(!changed.isEmpty)
        for shard in changed { try fixture.publish(ledger, shard: shard) }
        let files = try FileManager.default.contentsOfDirectory(atPath: "\(fixture.directory.path)/adapters")
        #expect(try Set(files) == Set(ledger.adapters().map { "\($0.name).sealed" }))
        #expect(try ledger.snapshot().shards.allSatisfy(\.isCurrent))
    }

    @Test("Bytes that are no adapter, another specification and unusable names are refused")
    func invalid() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        try fixture.load(SyntheticRatings(users: 16, seed: 7), into: ledger)
        struct NotFinite: Error {}
        let report = try fixture.report(of: [1], shard: 0, ledger)
        var other = report
        other.specification.epochs = 9
        func publish(_ report: TrainingReport, _ name: @escaping ([UInt8]) throws -> String) throws {
            try ledger.publish(
                shard: 0, bytes: [1], report: report, at: fixture.now, contentName: name)
        }
        #expect(throws: LedgerError.self) { try publish(report) { _ in throw NotFinite() } }
        #expect(throws: LedgerError.self) { try publish(other, LedgerFixture.contentName) }
        var renamed = report
        renamed.adapter = String(repeating: "a", count: 64)
        #expect(throws: LedgerError.self) { try publish(renamed, LedgerFixture.contentName) }
        var fewer = report
        fewer.prompts -= 1
        #expect(throws: LedgerError.self) { try publish(fewer, LedgerFixture.contentName) }
        #expect(throws: LedgerError.self) { try publish(report) { _ in "../../evil" } }
        #expect(throws: LedgerError.self) { try publish(report) { _ in "" } }
        #expect(try ledger.adapters().isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(fixture.directory.path)/adapters").isEmpty)
    }

    @Test("Files among the adapters that the ledger does not name are deleted when it is opened")
    func leftovers() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 16, seed: 8))
        try ledger.close()
        let folder = fixture.directory.appendingPathComponent("adapters")
        for name in ["abc.sealed", "abc.sealed.partial"] {
            try Data([1]).write(to: folder.appendingPathComponent(name))
        }
        let again = try fixture.open()
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(try Set(files) == Set(again.adapters().map { "\($0.name).sealed" }))
    }

    @Test("The attention table holds each validation prompt's embedding and each adapter's margins")
    func attention() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        try fixture.load(SyntheticRatings(users: 16, seed: 9), into: ledger)
        try fixture.embed(ledger)
        for shard in 0..<3 { try fixture.publish(ledger, shard: shard) }
        let first = try ledger.adapters()[0]
        let validation = try ledger.snapshot().validationPrompts
        #expect(try ledger.snapshot().shards[0].adapter?.missingMargins == validation)
        #expect(try ledger.attentionTable().rows.isEmpty)
        let wanted = try ledger.referencePrompts(adapter: first.name, limit: 3)
        try ledger.store(margins: [1, 2, 3], of: wanted.map(\.digest), adapter: first.name, at: fixture.now)
        #expect(try ledger.snapshot().shards[0].adapter?.missingMargins == validation - 3)
        try fixture.score(ledger)
        let table = try ledger.attentionTable()
        let prompts = try ledger.prompts(split: .validation).sorted { $0.prompt.id < $1.prompt.id }
        #expect(table.ids == prompts.map(\.prompt.id) && table.labels == prompts.map(\.prompt.label))
        #expect(table.digests == prompts.map(\.digest) && table.dimension == 4)
        #expect(table.embeddings == prompts.flatMap { LedgerFixture.embedding($0.digest) })
        #expect(table.rows.map(\.shard) == [0, 1, 2] && Set(table.rows[0].margins).isSuperset(of: [1, 2, 3]))
        for (prompt, margin) in zip(wanted, [1, 2, 3] as [Float]) {
            #expect(table.rows[0].margins[try #require(table.ids.firstIndex(of: prompt.id))] == margin)
        }
        #expect(table.rows[1].margins == prompts.map { LedgerFixture.embedding($0.digest + table.rows[1].adapter)[0] })
        #expect(try ledger.tuning() == nil && !ledger.snapshot().isTuned)
        try fixture.tune(ledger)
        #expect(try ledger.tuning()?.isCurrent == true && ledger.snapshot().isTuned)
    }

    @Test("Embeddings and margins that are not finite or of another width are refused")
    func badNumbers() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 16, seed: 10))
        let digest = try #require(ledger.attentionTable().digests.first)
        let adapter = try ledger.adapters()[0].name
        #expect(throws: LedgerError.self) {
            try ledger.store(embeddings: [1, .nan], of: [digest], at: fixture.now)
        }
        #expect(throws: LedgerError.embeddingWidth(expected: 4, found: 2)) {
            try ledger.store(embeddings: [1, 2], of: [digest], at: fixture.now)
        }
        #expect(throws: LedgerError.self) {
            try ledger.store(margins: [.infinity], of: [digest], adapter: adapter, at: fixture.now)
        }
        #expect(throws: LedgerError.unknownAdapter(name: "gone")) {
            try ledger.referencePrompts(adapter: "gone", limit: 1)
        }
    }
}
