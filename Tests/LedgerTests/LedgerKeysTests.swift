import ClusterTestSupport
import Crypto
import Files
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

/// What workers keep of a person is noise once the person's key is overwritten: before a request is acknowledged.
@Suite("Ledger: keys of people and shards")
struct LedgerKeysTests {
    private struct Killed: Error {}

    /// By person: every name and key that the shards' copies of the person are sealed under.
    private func keys(_ ledger: Ledger) throws -> [String: Set<PersonKey>] {
        let users = Dictionary(
            try ledger.prompts(split: .train).map { ($0.digest, $0.prompt.user) },
            uniquingKeysWith: { first, _ in first })
        var found: [String: Set<PersonKey>] = [:]
        for shard in 0..<ledger.configuration.shards {
            let (manifest, keys) = (try ledger.manifest(shard: shard), try ledger.shardKeys(shard: shard))
            #expect(keys.owners.count == manifest.entries.count)
            #expect(Set(keys.people.map(\.name)).count == keys.people.count)
            for (entry, owner) in zip(manifest.entries, keys.owners) {
                let user = try #require(users[entry.digest])
                found[user, default: []].insert(keys.people[owner])
            }
        }
        return found
    }

    private func shardKeys(_ ledger: Ledger) throws -> [[UInt8]] {
        try (0..<ledger.configuration.shards).map { try ledger.shardKeys(shard: $0).shard }
    }

    private func slots(_ folder: URL) throws -> Data {
        try Data(contentsOf: folder.appendingPathComponent("keys/slots"))
    }

    @Test("Everybody has one key, the same at every call and after a restart", arguments: PartitionMethod.allCases)
    func lasting(partition: PartitionMethod) throws {
        let fixture = LedgerFixture(partition: partition)
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 1))
        let (people, shards) = (try keys(ledger), try shardKeys(ledger))
        #expect(try keys(ledger) == people && shardKeys(ledger) == shards)
        let all = people.values.flatMap { $0 }
        #expect(Set(all.map(\.key)).count == all.count && Set(all.map(\.name)).count == all.count)
        try ledger.close()
        let again = try fixture.open()
        #expect(try keys(again) == people && shardKeys(again) == shards)
    }

    @Test(
        "After a forget request nothing is left that leads to the old keys of those it names; everybody else keeps theirs",
        arguments: PartitionMethod.allCases)
    func forgetting(partition: PartitionMethod) throws {
        let fixture = LedgerFixture(partition: partition)
        let data = SyntheticRatings(users: 12, seed: 2)
        let ledger = try fixture.trained(data)
        let (before, shardsBefore) = (try keys(ledger), try shardKeys(ledger))
        let single = try #require(data.interactions.first { $0.user == "u2" })
        let request = ClientRequest.ForgetRequest(
            users: ["u1"],
            interactions: [.init(user: "u2", item: single.item, timestamp: single.timestamp)])
        let outcome = try ledger.forget(requestID: "f", request, at: fixture.now)
        let after = try keys(ledger)
        #expect(after["u1"] == nil)
        #expect(after["u2"].map { $0.isDisjoint(with: before["u2"] ?? []) } ?? true)
        for (user, keys) in before where user != "u1" && user != "u2" { #expect(after[user] == keys) }
        for (shard, key) in try shardKeys(ledger).enumerated() {
            #expect((key == shardsBefore[shard]) == !outcome.shards.contains(shard))
        }
    }

    @Test("No key is in the database, its log or the adapters' folder")
    func onlyInTheFolder() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 3))
        let handedOut = try keys(ledger).values.flatMap { $0 }.map(\.key) + shardKeys(ledger)
        let slots = try slots(fixture.directory)
        // Every slot's key, as it lies there: after the header, 64 bytes a slot, eight of them its name.
        let stored = stride(from: 20_480, to: slots.count - 63, by: 64).map { Data(slots[($0 + 8)..<($0 + 40)]) }
            .filter { $0.contains { $0 != 0 } }
        #expect(stored.count >= 8)
        let files = FileManager.default.enumerator(at: fixture.directory, includingPropertiesForKeys: nil)
        while let file = files?.nextObject() as? URL {
            guard !file.path.contains("/keys/"), let bytes = try? Data(contentsOf: file) else { continue }
            for key in stored + handedOut.map({ Data($0) }) { #expect(bytes.range(of: key) == nil, "\(file.path)") }
        }
    }

    @Test(
        "Killed at any step around the commit, a request is either not there, or its keys are gone before anybody is told",
        arguments: CommitStep.allCases)
    func killed(step: CommitStep) throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 10, seed: 4))
        let before = try keys(ledger)
        let victim = try #require(before.keys.sorted().first)
        let killed = LedgerFixture()
        ledger.interrupt = { reached in
            guard reached == step else { return }
            try FileManager.default.copyItem(at: fixture.directory, to: killed.directory)
            throw Killed()
        }
        #expect(throws: Killed.self) {
            try ledger.forget(requestID: "f", LedgerFixture.forget(users: [victim]), at: fixture.now)
        }
        let opened = try killed.open()
        let after = try keys(opened)
        #expect(try opened.hasUser(victim) == (step == .beforeCommit))
        #expect(after[victim] == (step == .beforeCommit ? before[victim] : nil))
        for (user, keys) in before where user != victim { #expect(after[user] == keys) }

        // Who is not killed tries the keys again before the next commit.
        ledger.interrupt = nil
        let outcome = try ledger.forget(requestID: "f", LedgerFixture.forget(users: [victim]), at: fixture.now)
        #expect(outcome.request == "f")
        #expect(try keys(ledger)[victim] == nil)
    }

    @Test("A copy of the database from before the request does not bring a key back")
    func olderDatabase() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 10, seed: 5))
        let before = try keys(ledger)
        let victim = try #require(before.keys.sorted().first)
        let adapters = Set(try ledger.adapters().map(\.name))
        let copy = try fixture.copyOfFiles()
        let outcome = try ledger.forget(requestID: "f", LedgerFixture.forget(users: [victim]), at: fixture.now)
        try ledger.close()
        // The folder as it was, with today's keys.
        try FileManager.default.removeItem(at: copy.appendingPathComponent("keys"))
        try FileManager.default.copyItem(
            at: fixture.directory.appendingPathComponent("keys"), to: copy.appendingPathComponent("keys"))
        let error = try #require(#expect(throws: LedgerError.self) { try fixture.open(at: copy) })
        #expect("\(error)".contains("1 of the 10 people") && "\(error)".contains("--accept-audit-log"))
        let restored = try Ledger(
            directory: copy, configuration: fixture.configuration, accepting: .auditLog, at: fixture.now)
        // Nor an adapter that saw the data; the others are as they were.
        #expect(!outcome.droppedAdapters.isEmpty)
        #expect(try Set(restored.adapters().map(\.name)) == adapters.subtracting(outcome.droppedAdapters))
        let after = try keys(restored)
        #expect(try !restored.hasUser(victim) && after[victim] == nil)
        for (user, keys) in before where user != victim { #expect(after[user] == keys) }
    }

    @Test("A ledger does not start without its keys, says what is lost, and starts with new ones when told to")
    func missingFolder() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 6, seed: 6)
        let ledger = try fixture.trained(data)
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u0"]), at: fixture.now)
        let before = try keys(ledger)
        try ledger.recordCopy(HandedCopy(worker: "w", name: "host:1", shard: 0, manifest: "m"), at: fixture.now)
        try ledger.close()
        try FileManager.default.removeItem(at: fixture.directory.appendingPathComponent("keys"))
        for _ in 0..<2 {
            let error = #expect(throws: LedgerError.self) { try fixture.open() }
            #expect("\(try #require(error))".contains("--accept-new-keys"))
        }
        let again = try Ledger(
            directory: fixture.directory, configuration: fixture.configuration, accepting: .keys, at: fixture.now)
        // Nobody's record can be read any more: all are to be imported again. What was forgotten is still known.
        #expect(try keys(again).isEmpty && again.adapters().isEmpty && again.statistics().users == 0)
        #expect(try again.snapshot().shards.allSatisfy { $0.prompts == 0 })
        let back = try fixture.load(data.without(), into: again, id: "back")
        #expect(back.rowsRefused == data.interactions.count { $0.user == "u0" } && back.rowsNew > 0)
        let after = try keys(again)
        #expect(Set(after.keys) == Set(before.keys))
        for (user, keys) in before { #expect(try #require(after[user]).isDisjoint(with: keys)) }
        // The old folder may be somewhere: what was sealed with it is not accounted for.
        #expect(try again.inspect("SELECT sealed FROM copies") == ["0"])
        #expect(try again.auditLog().count { $0.kind == "new keys" } == 1)
        #expect(again.keyWarnings.count == 1 && again.keyWarnings[0].contains(fixture.now.iso8601))
        try again.close()
        let last = try fixture.open()
        #expect(last.keyWarnings.isEmpty)
        #expect(try last.auditLog().count { $0.kind == "new keys" } == 1)
    }

    @Test("The folder may lie elsewhere, sealed by a master key; two folders are one too many")
    func elsewhere() throws {
        let fixture = LedgerFixture()
        let folder = fixture.directory.appendingPathExtension("keys")
        defer { try? FileManager.default.removeItem(at: folder) }
        let options = KeyOptions(folder: folder, master: SymmetricKey(size: .bits256))
        func open(_ options: KeyOptions) throws -> Ledger {
            try Ledger(
                directory: fixture.directory, configuration: fixture.configuration, keys: options, at: fixture.now)
        }
        let ledger = try open(options)
        try fixture.load(SyntheticRatings(users: 6, seed: 7), into: ledger)
        let before = try keys(ledger)
        try ledger.close()
        #expect(!FileManager.default.fileExists(atPath: fixture.directory.path + "/keys"))
        #expect(throws: LedgerError.self) { try open(KeyOptions(folder: folder)) }
        #expect(throws: LedgerError.self) {
            try open(KeyOptions(folder: folder, master: SymmetricKey(size: .bits256)))
        }
        #expect(throws: LedgerError.self) { try fixture.open() }
        let again = try open(options)
        #expect(try keys(again) == before)
        try again.close()
        try FileManager.default.copyItem(at: folder, to: fixture.directory.appendingPathComponent("keys"))
        let error = #expect(throws: LedgerError.self) { try open(options) }
        #expect("\(try #require(error))".contains("too"))
    }

    @Test("Adapters lie sealed, each under a key that goes with it; two shards with the same adapter share one")
    func adapters() throws {
        let fixture = LedgerFixture(partition: .userHash, shards: 2)
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 9))
        let files = try FileManager.default.contentsOfDirectory(atPath: fixture.directory.path + "/adapters")
        #expect(try Set(files) == Set(ledger.adapters().map { "\($0.name).sealed" }))
        #expect(try fixture.traces(of: ["weights of"]) == [])
        // As if both had been trained to the same bytes.
        let first = try #require(try ledger.adapters().first)
        let bytes = try ledger.adapterBytes(name: first.name)
        try ledger.publish(
            shard: 1, bytes: bytes, report: fixture.report(of: bytes, shard: 1, ledger), at: fixture.now,
            contentName: LedgerFixture.contentName)
        #expect(try ledger.adapterKeys().count == 1)
        try fixture.publish(ledger, shard: 1)
        #expect(try ledger.adapterBytes(name: first.name) == bytes)
        try ledger.close()
        let again = try fixture.open()
        #expect(try again.adapters().count == 2 && again.adapterBytes(name: first.name) == bytes)
    }

    @Test("Killed while an adapter is published, the shard has the one before or the new one, and its file opens")
    func killedWhilePublishing() throws {
        for step in CommitStep.allCases {
            let fixture = LedgerFixture(shards: 1)
            let data = SyntheticRatings(users: 8, seed: 10)
            let ledger = try fixture.trained(data)
            let old = try #require(try ledger.adapters().first).name
            var more = data
            more.interactions.append(
                Interaction(user: "u1", item: "m1", timestamp: 99, rating: 5, ordinal: Int64(data.interactions.count)))
            try fixture.load(more, into: ledger, id: "more")
            let killed = LedgerFixture(shards: 1)
            ledger.interrupt = { reached in
                guard reached == step else { return }
                try FileManager.default.copyItem(at: fixture.directory, to: killed.directory)
                throw Killed()
            }
            #expect(throws: Killed.self) { try fixture.publish(ledger, shard: 0) }
            let opened = try killed.open()
            let name = try #require(try opened.adapters().first).name
            #expect((name == old) == (step == .beforeCommit))
            #expect(try !opened.adapterBytes(name: name).isEmpty)
            #expect(try opened.snapshot().shards.allSatisfy { $0.damage == nil })
        }
    }

    @Test("The certificate says of each copy that is not confirmed gone whether its keys are destroyed")
    func certificate() throws {
        let fixture = LedgerFixture(shards: 1)
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 8))
        let manifest = try ledger.manifest(shard: 0).digest
        _ = try ledger.shardKeys(shard: 0)
        try ledger.recordCopy(HandedCopy(worker: "a", name: "host:1", shard: 0, manifest: manifest), at: fixture.now)
        try ledger.recordCopy(HandedCopy(worker: "b", name: "host:2", shard: 0, manifest: manifest), at: fixture.now)
        // As a release before left it.
        try ledger.tamper("UPDATE copies SET sealed = 0 WHERE worker = 'b'")
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        try fixture.publish(ledger, shard: 0)
        let certificate = try ledger.finishForget(request: "f", at: fixture.now)
        let copies = try #require(certificate.statement.unconfirmed)
        #expect(copies.map(\.worker) == ["a", "b"] && copies.map(\.keyDestroyed) == [true, false])
    }
}
