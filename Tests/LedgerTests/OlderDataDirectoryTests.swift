import ClusterTestSupport
import Crypto
import Files
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

@Suite("The data directory of an older release")
struct OlderDataDirectoryTests {
    typealias Kind = OlderDataDirectory.Kind

    @Test("It opens with the configuration that it was made with and with no other", arguments: Kind.allCases)
    func configuration(kind: Kind) throws {
        let older = try OlderDataDirectory(kind)
        var other = older.configuration
        other.seed = 99
        let changed = LedgerError.configurationChanged(
            field: "seed", recorded: "\(older.configuration.seed)", given: "99")
        #expect(throws: changed) { try Ledger(directory: older.directory, configuration: other, at: older.now) }
        let ledger = try older.open()
        func read<Value: Decodable>(_ type: Value.Type, _ json: String?) throws -> Value {
            try JSONDecoder().decode(type, from: Data(try #require(json).utf8))
        }
        #expect(try read(ClusterConfiguration.self, older.before.configuration) == older.configuration)
        let recorded = try ledger.inspect("SELECT CAST(value AS TEXT) FROM meta WHERE key = 'configuration'")
        #expect(try read(ClusterConfiguration.self, recorded.first) == older.configuration)
        #expect(try read(PromptConfiguration.self, older.before.promptConfiguration) == ledger.promptConfiguration())
        #expect(try ledger.promptConfiguration() == PromptConfiguration(historyLength: 4))
        #expect(ledger.cluster == older.before.cluster && ledger.publicKey == older.before.publicKey)
    }

    @Test("People, interactions and prompts are all there, each in its split and shard", arguments: Kind.allCases)
    func data(kind: Kind) throws {
        let older = try OlderDataDirectory(kind)
        let ledger = try older.open()
        let statistics = try ledger.statistics()
        #expect(statistics.users == older.before.users && statistics.items == older.before.items)
        #expect(statistics.interactions == older.before.interactions && statistics.interactions > 50)
        #expect(statistics.forgetRequests == older.before.requests.count)
        let snapshot = try ledger.snapshot()
        #expect(try older.described(Array(snapshot.shards), ledger) == older.before.shards)
        #expect(snapshot.trainingRequested == older.before.trainingRequested)
        let likes = try ledger.likes()
        let counted = [snapshot.trainingPrompts, snapshot.validationPrompts, snapshot.testPrompts]
        for (split, count) in zip([Split.train, .validation, .test], counted) {
            let prompts = try ledger.prompts(split: split)
            let described = prompts.map { "\($0.prompt.id) \($0.digest) \($0.shard.map(String.init) ?? "-")" }
            #expect(described == older.before.prompts[split.rawValue] && !described.isEmpty && described.count == count)
            #expect(likes[split] == prompts.count { $0.prompt.label })
        }
        for shard in snapshot.shards {
            #expect(try ledger.manifest(shard: shard.index).digest == shard.manifest)
            #expect(try shard.likes == ledger.samples(shard: shard.index).count { $0.label })
        }
    }

    @Test("Every interaction is there, to the bit", arguments: Kind.allCases)
    func interactions(kind: Kind) throws {
        let older = try OlderDataDirectory(kind)
        let rows = try Ledger.inspect(
            """
            SELECT users.token || ' ' || items.token || ' ' || timestamp || ' ' || rating || ' ' || interactions.ordinal
            FROM interactions JOIN users ON users.id = user JOIN items ON items.id = item
            """, at: older.directory.appendingPathComponent("ledger.sqlite"))
        let users = try Ledger.inspect(
            "SELECT token FROM users", at: older.directory.appendingPathComponent("ledger.sqlite"))
        let ledger = try older.open()
        let history = try users.flatMap { try ledger.history(user: $0) }
        #expect(
            history.map { "\($0.user) \($0.item) \($0.timestamp) \($0.rating) \($0.ordinal)" }.sorted() == rows.sorted()
        )
    }

    @Test("Nothing of anybody is left in clear, and no old file", arguments: Kind.allCases)
    func sealed(kind: Kind) throws {
        let older = try OlderDataDirectory(kind)
        let database = older.directory.appendingPathComponent("ledger.sqlite")
        let users = try Ledger.inspect("SELECT token FROM users WHERE LENGTH(token) > 3", at: database)
        let prompts = try Ledger.inspect("SELECT name FROM prompts UNION SELECT digest FROM prompts", at: database)
        let ledger = try older.open()
        let files = try FileManager.default.subpathsOfDirectory(atPath: older.directory.path)
        #expect(!files.contains { $0.hasSuffix(".old") || $0.hasSuffix(".new") })
        for file in files {
            let content = (try? Data(contentsOf: older.directory.appendingPathComponent(file))) ?? Data()
            for text in users + prompts { #expect(content.range(of: Data(text.utf8)) == nil, "\(file): \(text)") }
        }
        try ledger.close()
    }

    @Test("A migration that was killed at any step is done again, or is done", arguments: ["new file", "link"])
    func killed(step: String) throws {
        let older = try OlderDataDirectory(.exact)
        let database = older.directory.appendingPathComponent("ledger.sqlite")
        switch step {
        case "new file":
            // Half of one, and its log.
            try Data(repeating: 7, count: 9000).write(to: URL(fileURLWithPath: database.path + ".new"))
            try Data(repeating: 7, count: 900).write(to: URL(fileURLWithPath: database.path + ".new-wal"))
        default:
            try FileManager.default.linkItem(atPath: database.path, toPath: database.path + ".old")
            try Data(repeating: 7, count: 900).write(to: URL(fileURLWithPath: database.path + "-wal.old"))
        }
        let ledger = try older.open()
        #expect(try ledger.statistics().interactions == older.before.interactions)
        try ledger.close()
        // After the exchange, before the old file was overwritten.
        try FileManager.default.copyItem(
            at: OlderDataDirectory(.exact).directory.appendingPathComponent("ledger.sqlite"),
            to: URL(fileURLWithPath: database.path + ".old"))
        let again = try older.open()
        #expect(try again.statistics().interactions == older.before.interactions)
        let files = try FileManager.default.subpathsOfDirectory(atPath: older.directory.path)
        #expect(!files.contains { $0.hasSuffix(".old") || $0.contains(".new") })
    }

    @Test("The old file and its log are overwritten, not only deleted")
    func overwritten() throws {
        let older = try OlderDataDirectory(.exact)
        let database = older.directory.appendingPathComponent("ledger.sqlite").path
        // Another name keeps what a deletion would leave on the disk.
        let names = try TestDirectory()
        let remains = names.file("remains").path
        #expect(link(database, remains) == 0)
        try older.open().close()
        let left = try Data(contentsOf: URL(fileURLWithPath: remains))
        #expect(!left.isEmpty && left.allSatisfy { $0 == 0 })
    }

    @Test("Every row of the tables whose form stayed is there, to the bit", arguments: Kind.allCases)
    func tables(kind: Kind) throws {
        let older = try OlderDataDirectory(kind)
        let database = older.directory.appendingPathComponent("ledger.sqlite")
        let centres = try Ledger.inspect("SELECT lower(hex(centres)) FROM partition", at: database)
        let ledger = try older.open()
        let table = try #require(older.before.tables["items"])
        let rows = try ledger.rows(of: "items", columns: table.columns)
        #expect(try rows.count == table.rows && rows.digest == table.digest)
        // Sealed, and the same numbers.
        let kept = try ledger.recordedCentres().map { LittleEndianFloats.bytes($0).hexadecimal }
        #expect(centres == (kept.map { [$0] } ?? []) && older.before.tables["partition"]?.rows == centres.count)
        #expect(try ledger.rows(of: "audit", columns: ["hash"]).count == older.before.audit.count + 2)
    }

    @Test("Adapters keep their names, their bytes and the reports of their trainings", arguments: Kind.allCases)
    func adapters(kind: Kind) throws {
        let older = try OlderDataDirectory(kind)
        var files: [String: Data] = [:]
        for adapter in older.before.adapters {
            let file = older.directory.appendingPathComponent("adapters/\(adapter.name).safetensors")
            files[adapter.name] = try Data(contentsOf: file)
        }
        let ledger = try older.open()
        let adapters = try ledger.adapters()
        // They lie sealed now, and nothing is left in clear.
        let left = try FileManager.default.contentsOfDirectory(atPath: older.directory.path + "/adapters")
        #expect(left.allSatisfy { $0.hasSuffix(".sealed") })
        #expect(adapters.count == older.before.adapters.count && !adapters.isEmpty)
        for (adapter, before) in zip(adapters, older.before.adapters) {
            let bytes = try ledger.adapterBytes(name: adapter.name)
            #expect(Data(bytes) == files[adapter.name])
            var described = try Before.Adapter(adapter, bytes: bytes)
            described.manifest = try older.manifests(ledger)[described.manifest] ?? described.manifest
            #expect(described == before.withoutCorrection)
            #expect(adapter.report.specification == older.configuration.training && adapter.trainer == nil)
            let correction = try before.approximation.map {
                try JSONDecoder().decode(CorrectionReport.self, from: Data($0.utf8))
            }
            #expect(adapter.report.correction == correction)
        }
        #expect(try ledger.statistics().tokensPerSecond == older.before.tokensPerSecond)
    }

    @Test(
        "Embeddings and reference rows are the same numbers, and the attention is still tuned", arguments: Kind.allCases
    )
    func attention(kind: Kind) throws {
        let older = try OlderDataDirectory(kind)
        let ledger = try older.open()
        let table = try ledger.attentionTable()
        #expect(try table.embeddings.digest == older.before.embeddings && !table.embeddings.isEmpty)
        #expect(table.rows.count == older.before.margins.count)
        for row in table.rows { #expect(try row.margins.digest == older.before.margins[String(row.shard)]) }
        let tuning = try #require(try ledger.tuning())
        #expect(tuning.parameters.tau == older.before.tau && tuning.parameters.neighbours == older.before.neighbours)
        #expect(try ledger.snapshot().isTuned == older.before.isTuned && tuning.isCurrent)
        #expect(try ledger.snapshot().missingEmbeddings == older.before.missingEmbeddings)
    }

    @Test(
        "Forget requests keep what they did, and certificates, signed anew, say to the byte what they said",
        arguments: Kind.allCases)
    func requests(kind: Kind) throws {
        let older = try OlderDataDirectory(kind)
        let ledger = try older.open()
        let records = try ledger.forgetRequests()
        let waiting = Array(try ledger.snapshot().pendingForgets)
        #expect(try records.map { try Before.Request($0, waiting) } == older.before.requests.map(\.withoutSignature))
        let key = try Curve25519.Signing.PublicKey(rawRepresentation: older.before.publicKey)
        var certificates = 0
        for (record, before) in zip(records, older.before.requests) {
            guard let statement = before.statement, let signature = before.signature else {
                #expect(record.state == .pending && record.certificate == nil)
                continue
            }
            certificates += 1
            let certificate = try #require(record.certificate)
            #expect(key.isValidSignature(signature, for: Data(statement.utf8)))
            #expect(certificate.verify(publicKey: older.before.publicKey) && certificate.statement.version == 2)
            #expect(try ledger.evidenceFindings(of: record).isEmpty)
            #expect(try ledger.finishForget(request: before.id, at: older.now) == certificate)
        }
        #expect(certificates >= 2)
    }

    @Test("The audit log goes on where it ended, and still proves itself", arguments: Kind.allCases)
    func audit(kind: Kind) throws {
        let older = try OlderDataDirectory(kind)
        let ledger = try older.open()
        let log = try ledger.auditLog()
        let described = log.map {
            "\($0.sequence) \(Int64(($0.time.timeIntervalSince1970 * 1000).rounded())) \($0.kind) \($0.hash)"
        }
        #expect(Array(described.prefix(older.before.audit.count)) == older.before.audit)
        #expect(
            log.dropFirst(older.before.audit.count).map(\.kind) == ["records sealed", "certificates in a new form"])
        let verdict = try ledger.auditVerdict()
        #expect(verdict.isIntact, "\(verdict.finding ?? "")")
    }

    @Test("Opening it a second time changes nothing", arguments: Kind.allCases)
    func twice(kind: Kind) throws {
        let older = try OlderDataDirectory(kind)
        let ledger = try older.open()
        // Another one with every start.
        func rows(_ ledger: Ledger) throws -> [String] {
            try ledger.allRows().filter { !$0.hasPrefix("meta 'key epoch'") }
        }
        let (snapshot, before) = (try ledger.snapshot(), try rows(ledger))
        #expect(try before.count == ledger.allRows().count - 1 && before.count > 100)
        try ledger.close()
        let files = try older.files()
        let again = try older.open()
        #expect(try again.snapshot() == snapshot)
        #expect(try rows(again) == before)
        try again.close()
        #expect(try older.files() == files && files.count >= 6)
    }

    @Test("The key of its tombstones leaves the database for a file of its own, and nobody else may read the files")
    func keys() throws {
        let older = try OlderDataDirectory(.exact)
        let key = Data(SHA256.hash(data: Data("The tombstone key of a test.".utf8)))
        func holds(_ file: String) throws -> Bool {
            let content = try Data(contentsOf: older.directory.appendingPathComponent(file))
            let text = key.base64EncodedString()
            return [key, Data(text.utf8), Data(text.replacingOccurrences(of: "/", with: "\\/").utf8)]
                .contains { content.range(of: $0) != nil }
        }
        #expect(try holds("ledger.sqlite"))
        let ledger = try older.open()
        #expect(try holds("tombstone.key") && !holds("ledger.sqlite") && !holds("ledger.sqlite-wal"))
        #expect(try !ledger.snapshot().purgePending)
        for file in ["tombstone.key", "certificate.key", "ledger.sqlite", "audit.head"] {
            let path = older.directory.appendingPathComponent(file).path
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o600, "\(file)")
        }
    }

    @Test("What was forgotten stays out, is known to be forgotten, and its requests can be repeated")
    func forgotten() throws {
        let older = try OlderDataDirectory(.exact)
        let ledger = try older.open()
        #expect(
            try ledger.inspect("SELECT kind FROM tombstones ORDER BY kind")
                == ["interaction", "pair", "user", "user", "user"])
        let rows = older.before.forgotten.map(Interaction.init)
        #expect(Set(rows.map(\.user)) == ["u1", "u2", "u4"])
        let outcome = try older.load(rows, into: ledger)
        #expect(outcome.rowsRefused == rows.count && outcome.rowsNew == 0)
        #expect(try !ledger.hasUser("u1") && !ledger.hasUser("u4") && ledger.hasUser("u2"))
        let single = try #require(rows.first { $0.user == "u2" }).key
        for request in [LedgerFixture.forget(users: ["u1"]), LedgerFixture.forget(single)] {
            #expect(try ledger.plan(request).alreadyForgotten == 1)
        }
        let repeated = try ledger.forget(requestID: "whole", LedgerFixture.forget(users: ["u1"]), at: older.now)
        #expect(try repeated == ledger.forgetRequest("whole")?.outcome)
        #expect(throws: LedgerError.requestConflict(id: "whole")) {
            try ledger.forget(requestID: "whole", LedgerFixture.forget(users: ["u5"]), at: older.now)
        }
    }

    @Test("A person whose identifier was kept with a blank before it is forgotten by today's spelling")
    func blanks() throws {
        let older = try OlderDataDirectory(.exact)
        let ledger = try older.open()
        let outcome = try ledger.forget(requestID: "v", LedgerFixture.forget(users: ["visitor"]), at: older.now)
        #expect(outcome.counts.interactions == 7 && outcome.counts.promptsDeleted.train == 1)
        #expect(try ledger.statistics().interactions == older.before.interactions - 7)
    }

    @Test("Kept replies that are about somebody are not taken over")
    func replies() throws {
        let older = try OlderDataDirectory(.exact)
        let ledger = try older.open()
        #expect(try ledger.reply(requestID: "query of u5") == nil)
        #expect(try ledger.reply(requestID: "query of nobody") == older.before.replies["query of nobody"])
    }

    @Test("A forget that waited for its shards goes on: retrained, finished, certified in today's form")
    func pending() throws {
        let older = try OlderDataDirectory(.exact)
        let ledger = try older.open()
        let before = try ledger.snapshot()
        #expect(before.pendingForgets.map(\.id) == ["pending"] && before.pendingForgets[0].waitingFor == [2])
        #expect(throws: LedgerError.requestUnfinished(id: "pending", waitingFor: [2])) {
            try ledger.finishForget(request: "pending", at: older.now)
        }
        try older.train(ledger, shard: 2)
        let certificate = try ledger.finishForget(request: "pending", at: older.now)
        #expect(certificate.verify(publicKey: older.before.publicKey) && certificate.statement.version == 5)
        #expect(certificate.statement.shards.map(\.training?.adapter) == certificate.statement.shards.map(\.newAdapter))
        #expect(certificate.statement.received == "2026-09-21T14:14:08.000Z")
        // What workers of before hold is not on record: the certificate says so.
        #expect(certificate.statement.copiesRecordedSince != nil && certificate.statement.exactness.hasPrefix("exact"))
        let shard = try #require(certificate.statement.shards.first)
        #expect(shard.newAdapter == (try ledger.adapters().first { $0.shard == 2 }?.name) && shard.newAdapter != nil)
        #expect(older.before.requests.last?.droppedAdapters == [try #require(shard.oldAdapter)])
        #expect(try ledger.snapshot().pendingForgets.isEmpty && ledger.auditVerdict().isIntact)
    }

    @Test("A bridged forget gets its exact adapter, and an adapter that was to be corrected is corrected")
    func corrections() throws {
        let older = try OlderDataDirectory(.corrected)
        let ledger = try older.open()
        #expect(try ledger.snapshot().pendingForgets.map(\.id) == ["bridged", "pending"])
        #expect(try ledger.snapshot().shards.map(\.isBridged) == [true, false])
        try older.train(ledger, shard: 0)
        let exact = try ledger.finishForget(request: "bridged", at: older.now).statement
        #expect(exact.exactness.hasPrefix("exact") && exact.bridge == .ifru && exact.shards[0].correction == nil)
        try older.correct(ledger, shard: 1)
        let corrected = try ledger.finishForget(request: "pending", at: older.now).statement
        // The second correction since the training: the first was that release's.
        #expect(corrected.shards.map(\.correction?.corrections) == [2])
        #expect(corrected.exactness.hasPrefix("approximate") && corrected.shards[0].fallback == nil)
        #expect(try ledger.snapshot().shards.allSatisfy(\.isCurrent) && ledger.auditVerdict().isIntact)
    }

    @Test("An import under way ends as that release would have ended it; one with rows of the forgotten is sent again")
    func imports() throws {
        let older = try OlderDataDirectory(.exact)
        let ledger = try older.open()
        let rest = older.before.rest.map(Interaction.init)
        let outcome = try older.load(rest, into: ledger, id: "under way", batch: 1)
        #expect(
            Before.Import(
                rowsNew: outcome.rowsNew, promptsAdded: outcome.promptsAdded, shardsChanged: outcome.shardsChanged)
                == older.before.nextImport)
        try older.deal(ledger)
        #expect(try older.described(Array(ledger.snapshot().shards), ledger) == older.before.nextShards)
        let other = "with rows of the forgotten"
        #expect(throws: LedgerError.unknownImport(id: other)) {
            try ledger.finishImport(
                importID: other, batches: 1, prompts: PromptConfiguration(historyLength: 4), at: older.now)
        }
    }

    @Test("Today's training of the same prompts gives the bytes of that release's adapter")
    func replay() throws {
        let older = try OlderDataDirectory(.exact)
        let ledger = try older.open()
        let record = try #require(try ledger.adapters().first { $0.shard == 1 })
        #expect(try ledger.manifest(shard: 1).digest == record.manifest)
        let trained = try older.trained(ledger, shard: 1)
        #expect(trained.adapter.contentName == record.name && trained.report.epochLosses == record.report.epochLosses)
        #expect(trained.report.steps == record.report.steps && trained.report.tokens == record.report.tokens)
    }
}
