import ClusterTestSupport
import Crypto
import Foundation
import Ledger
import Messages
import Recommendation
import Testing

/// What a start makes of a key folder that is not the one that was used last.
@Suite("Ledger: other key folders")
struct LedgerKeyFolderTests {
    /// Of everybody, by shard.
    private func keys(_ ledger: Ledger) throws -> [[PersonKey]] {
        try (0..<ledger.configuration.shards).map { try ledger.shardKeys(shard: $0).people }
    }

    private func slots(_ folder: URL) throws -> Data {
        try Data(contentsOf: folder.appendingPathComponent("keys/slots"))
    }

    @Test("An older copy of the key folder beside today's database is refused by number, and nobody is lost by it")
    func olderFolder() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 12, seed: 11)
        let ledger = try fixture.trained(data.without(users: Set((6..<12).map { "u\($0)" })))
        let folder = fixture.directory.appendingPathComponent("keys")
        let (older, newer) = (
            fixture.directory.appendingPathExtension("older"), fixture.directory.appendingPathExtension("newer")
        )
        defer { for url in [older, newer] { try? FileManager.default.removeItem(at: url) } }
        try FileManager.default.copyItem(at: folder, to: older)
        try fixture.load(data, into: ledger, id: "more")
        let before = try keys(ledger)
        try ledger.close()

        try FileManager.default.moveItem(at: folder, to: newer)
        try FileManager.default.copyItem(at: older, to: folder)
        let bytes = try slots(fixture.directory)
        for _ in 0..<2 {
            let error = try #require(#expect(throws: LedgerError.self) { try fixture.open() })
            guard case .keyUnusable = error else {
                Issue.record("\(error)")
                continue
            }
            #expect("\(error)".contains("6 of the 12 people") && "\(error)".contains("--accept-new-keys"))
        }
        #expect(try slots(fixture.directory) == bytes)
        try FileManager.default.removeItem(at: folder)
        try FileManager.default.moveItem(at: newer, to: folder)
        let again = try fixture.open()
        #expect(try keys(again) == before && again.statistics().users == 12)
        try again.close()

        // Who says so goes on with those whose keys are there, and is asked no more.
        try FileManager.default.removeItem(at: folder)
        try FileManager.default.moveItem(at: older, to: folder)
        let accepted = try Ledger(
            directory: fixture.directory, configuration: fixture.configuration, accepting: .keys, at: fixture.now)
        #expect(try accepted.statistics().users == 6)
        #expect(try accepted.auditLog().count { $0.kind == "person damaged" } == 6)
        try accepted.close()
        #expect(try fixture.open().statistics().users == 6)
    }

    @Test("A slot that is damaged is its owner's matter: nothing is refused")
    func damagedSlot() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 6, seed: 12))
        let slot = try #require(
            try ledger.inspect("SELECT slot FROM people ORDER BY id LIMIT 1").first.flatMap(Int.init))
        try ledger.close()
        var bytes = try slots(fixture.directory)
        bytes[20_480 + 64 * slot + 20] ^= 1
        try bytes.write(to: fixture.directory.appendingPathComponent("keys/slots"))
        #expect(try fixture.open().statistics().users == 5)
    }

    @Test(
        "Keys that are put aside are named at every start until they are gone, and copies count as readable from before on"
    )
    func putAside() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 6, seed: 13))
        try ledger.recordCopy(HandedCopy(worker: "w", name: "host:1", shard: 0, manifest: "m"), at: fixture.now)
        try ledger.close()
        var bytes = try slots(fixture.directory)
        bytes[0] ^= 1
        try bytes.write(to: fixture.directory.appendingPathComponent("keys/slots"))
        let aside = fixture.directory.appendingPathComponent("keys.unusable-1")
        let accepted = try Ledger(
            directory: fixture.directory, configuration: fixture.configuration, accepting: .keys, at: fixture.now)
        #expect(try accepted.inspect("SELECT sealed FROM copies") == ["0"])
        let entry = try #require(try accepted.auditLog().first { $0.kind == "new keys" })
        #expect(entry.detail.contains("\"keys.unusable-1\""))
        #expect(accepted.keyWarnings.count == 2 && accepted.keyWarnings[0].contains(aside.path))
        try accepted.close()
        let again = try fixture.open()
        #expect(again.keyWarnings.count == 1 && again.keyWarnings[0].contains(aside.path))
        #expect(again.keysPutAside == [aside.path])
        try FileManager.default.removeItem(at: aside)
        #expect(again.keysPutAside == [])
        try again.close()
        #expect(try fixture.open().keyWarnings.isEmpty)
    }

    @Test("Keys that were put aside are named wherever the data comes to lie, until they are said to be destroyed")
    func putAsideElsewhere() throws {
        let fixture = LedgerFixture()
        try fixture.trained(SyntheticRatings(users: 6, seed: 15)).close()
        var bytes = try slots(fixture.directory)
        bytes[0] ^= 1
        try bytes.write(to: fixture.directory.appendingPathComponent("keys/slots"))
        try Ledger(
            directory: fixture.directory, configuration: fixture.configuration, accepting: .keys, at: fixture.now
        ).close()
        let aside = fixture.directory.appendingPathComponent("keys.unusable-1")
        func openCopy(_ copy: URL, destroyed: [URL] = []) throws -> Ledger {
            try Ledger(
                directory: copy, configuration: fixture.configuration, keys: KeyOptions(destroyed: destroyed),
                at: fixture.now)
        }
        // As a backup that leaves `keys.unusable-1` out, with today's keys.
        let copy = try fixture.copyOfFiles()
        let elsewhere = fixture.directory.appendingPathExtension("elsewhere")
        defer { for folder in [copy, elsewhere] { try? FileManager.default.removeItem(at: folder) } }
        try FileManager.default.removeItem(at: copy.appendingPathComponent("keys.unusable-1"))
        #expect(throws: LedgerError.self) { try openCopy(copy, destroyed: [aside]) }
        let again = try openCopy(copy)
        #expect(again.keysPutAside == [aside.path])
        try again.close()
        try FileManager.default.moveItem(at: fixture.directory, to: elsewhere)
        #expect(throws: LedgerError.self) { try openCopy(copy, destroyed: [elsewhere]) }
        let unseen = try openCopy(copy)
        #expect(unseen.keysPutAside == [aside.path])
        #expect(unseen.keyWarnings.count == 1)
        #expect(unseen.keyWarnings.first?.contains("--accept-destroyed-keys \(aside.path)") == true)
        try unseen.close()
        let declared = try openCopy(copy, destroyed: [aside])
        #expect(try declared.auditLog().count { $0.kind == "keys said to be destroyed" } == 1)
        #expect(declared.keysPutAside.isEmpty && declared.keyWarnings.isEmpty)
        try declared.close()
        // As a supervisor does, which starts it with the same options again.
        let repeated = try openCopy(copy, destroyed: [aside])
        #expect(repeated.keysPutAside.isEmpty && repeated.keyWarnings.count == 1)
        #expect(repeated.keyWarnings.first?.contains("leave --accept-destroyed-keys \(aside.path) out") == true)
        #expect(try repeated.auditLog().count { $0.kind == "keys said to be destroyed" } == 1)
        try repeated.close()
        let after = try openCopy(copy)
        #expect(after.keysPutAside.isEmpty && after.keyWarnings.isEmpty)
    }

    @Test("Whole keys that the master key does not fit are not put aside", arguments: [false, true], [false, true])
    func wholeKeys(isSealed: Bool, givesMaster: Bool) throws {
        // A missing one, a superfluous one, a wrong one; the fourth is right.
        guard isSealed || givesMaster else { return }
        let fixture = LedgerFixture()
        let master = isSealed ? SymmetricKey(size: .bits256) : nil
        func open(_ master: SymmetricKey?, accepting accepted: AcceptedLosses = []) throws -> Ledger {
            try Ledger(
                directory: fixture.directory, configuration: fixture.configuration,
                keys: KeyOptions(folder: nil, master: master), accepting: accepted, at: fixture.now)
        }
        let ledger = try open(master)
        try fixture.load(SyntheticRatings(users: 6, seed: 14), into: ledger)
        let before = try keys(ledger)
        try ledger.recordCopy(HandedCopy(worker: "w", name: "host:1", shard: 0, manifest: "m"), at: fixture.now)
        try ledger.close()
        let bytes = try slots(fixture.directory)
        let error = try #require(
            #expect(throws: LedgerError.self) {
                try open(givesMaster ? SymmetricKey(size: .bits256) : nil, accepting: .keys)
            })
        #expect("\(error)".contains("destroy the folder first"))
        #expect(try slots(fixture.directory) == bytes)
        let again = try open(master)
        #expect(try keys(again) == before && again.inspect("SELECT sealed FROM copies") == ["1"])
        #expect(again.keyWarnings.isEmpty)
    }
}
