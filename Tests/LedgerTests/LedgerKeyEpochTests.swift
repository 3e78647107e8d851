import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing

/// A database and a key folder that do not belong together are noticed, whatever keys are or are not in the folder.
@Suite("Ledger: epochs of the key folder")
struct LedgerKeyEpochTests {
    private func keys(_ folder: URL) -> URL { folder.appendingPathComponent("keys") }

    private func slots(_ folder: URL) throws -> Data {
        try Data(contentsOf: folder.appendingPathComponent("keys/slots"))
    }

    private func open(_ fixture: LedgerFixture, at folder: URL? = nil, accepting accepted: AcceptedLosses) throws
        -> Ledger
    {
        try Ledger(
            directory: folder ?? fixture.directory, configuration: fixture.configuration, accepting: accepted,
            at: fixture.now)
    }

    private func put(_ folder: URL, inPlaceOf other: URL) throws {
        try FileManager.default.removeItem(at: other)
        try FileManager.default.copyItem(at: folder, to: other)
    }

    private func refusal(_ work: () throws -> Ledger) -> String {
        guard case .keyUnusable(_, let reason) = #expect(throws: LedgerError.self, performing: { try work() }) else {
            return ""
        }
        return reason
    }

    @Test(
        "A folder from before a forget is refused although nobody misses a key in it; accepting an older log is not enough"
    )
    func olderFolder() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 20, seed: 31))
        let monday = fixture.directory.appendingPathExtension("monday")
        defer { try? FileManager.default.removeItem(at: monday) }
        try FileManager.default.copyItem(at: keys(fixture.directory), to: monday)
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u17"]), at: fixture.now)
        try fixture.prepare(ledger)
        try ledger.recordCopy(HandedCopy(worker: "w", name: "host:1", shard: 0, manifest: "m"), at: fixture.now)
        try ledger.close()
        try put(monday, inPlaceOf: keys(fixture.directory))
        let bytes = try slots(fixture.directory)
        for accepted in [[], .auditLog] as [AcceptedLosses] {
            let reason = refusal { try open(fixture, accepting: accepted) }
            #expect(reason.contains("older than the database") && reason.contains("a key for everybody"))
        }
        #expect(try slots(fixture.directory) == bytes)
        let accepted = try open(fixture, accepting: .keys)
        #expect(try accepted.statistics().users == 19 && !accepted.hasUser("u17"))
        #expect(try accepted.inspect("SELECT sealed FROM copies WHERE worker = 'w'") == ["0"])
        #expect(try accepted.auditLog().count { $0.kind == "keys of another age" } == 1)
        try accepted.close()
        try fixture.open().close()
    }

    @Test("A database from before the last change is refused although nobody misses a key, until somebody says so")
    func olderDatabase() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 12, seed: 32)
        let ledger = try fixture.trained(data.without(users: ["u11"]))
        let copy = try fixture.copyOfFiles()
        defer { try? FileManager.default.removeItem(at: copy) }
        try fixture.load(data, into: ledger, id: "more")
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u11"]), at: fixture.now)
        try ledger.close()
        try put(keys(fixture.directory), inPlaceOf: keys(copy))
        let reason = refusal { try open(fixture, at: copy, accepting: []) }
        #expect(reason.contains("from a backup") && reason.contains("--accept-audit-log"))
        let restored = try open(fixture, at: copy, accepting: .auditLog)
        #expect(try restored.statistics().users == 11)
        try restored.close()
        // Once is enough.
        try fixture.open(at: copy).close()
    }

    @Test("Two copies that went on separately are told apart")
    func separateWays() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 10, seed: 33)
        let ledger = try fixture.trained(data)
        try ledger.close()
        let copy = try fixture.copyOfFiles()
        defer { try? FileManager.default.removeItem(at: copy) }
        for folder in [fixture.directory, copy] { try fixture.open(at: folder).close() }
        try put(keys(copy), inPlaceOf: keys(fixture.directory))
        #expect(!refusal { try fixture.open() }.isEmpty)
    }

    @Test("Killed around a commit that gives keys up, the next starts go on", arguments: CommitStep.allCases)
    func killed(step: CommitStep) throws {
        struct Killed: Error {}
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 10, seed: 34)
        let ledger = try fixture.trained(data)
        let one = try #require(data.interactions.first { $0.user == "u1" })
        let killed = LedgerFixture()
        ledger.interrupt = { reached in
            guard reached == step else { return }
            try FileManager.default.copyItem(at: fixture.directory, to: killed.directory)
            throw Killed()
        }
        #expect(throws: Killed.self) {
            try ledger.forget(requestID: "f", LedgerFixture.forget(one.key), at: fixture.now)
        }
        for _ in 0..<2 {
            let again = try killed.open()
            #expect(try again.statistics().users == 10)
            #expect(try !again.auditLog().contains { $0.kind == "person damaged" })
            #expect(try again.forgetRequests().count == (step == .beforeCommit ? 0 : 1))
            try again.close()
        }
    }

    @Test("Files of a release before are taken as they are, and have an epoch from then on")
    func releaseBefore() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 35))
        try ledger.close()
        let former = fixture.directory.appendingPathExtension("former")
        defer { try? FileManager.default.removeItem(at: former) }
        try fixture.removeKeyEpochs()
        try FileManager.default.copyItem(at: keys(fixture.directory), to: former)
        let again = try fixture.open()
        #expect(try again.statistics().users == 8)
        #expect(try again.inspect("SELECT COUNT(*) FROM meta WHERE key = 'key epoch'") == ["1"])
        _ = try again.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        try again.close()
        #expect(try slots(fixture.directory)[12_288..<16_408].contains { $0 != 0 })
        try fixture.open().close()
        try put(former, inPlaceOf: keys(fixture.directory))
        #expect(refusal { try fixture.open() }.contains("older than the database"))
    }

    @Test("Without an epoch, people without a key are refused as a release before did")
    func releaseBeforeWithoutKeys() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 8, seed: 36)
        let ledger = try fixture.trained(data.without(users: ["u7"]))
        let older = fixture.directory.appendingPathExtension("older")
        defer { try? FileManager.default.removeItem(at: older) }
        try FileManager.default.copyItem(at: keys(fixture.directory), to: older)
        try fixture.load(data, into: ledger, id: "more")
        try ledger.close()
        try put(older, inPlaceOf: keys(fixture.directory))
        try fixture.removeKeyEpochs()
        #expect(refusal { try fixture.open() }.contains("1 of the 8 people"))
        let accepted = try open(fixture, accepting: .keys)
        #expect(try accepted.statistics().users == 7)
    }
}
