import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Testing

@Suite("Ledger: the data directory is another one")
struct LedgerReplacedDirectoryTests {
    private let manager = FileManager.default

    /// What is done to the directory of an open ledger.
    enum Change: CaseIterable {
        case removed, replacedByCopy, databaseRemoved, logReplaced, lockReplaced
    }

    private func apply(_ change: Change, to directory: URL) throws {
        let aside = directory.appendingPathExtension("aside")
        let file: (String) -> URL = { directory.appendingPathComponent($0) }
        switch change {
        case .removed: try manager.removeItem(at: directory)
        case .replacedByCopy:
            try manager.moveItem(at: directory, to: aside)
            try manager.copyItem(at: aside, to: directory)
            try manager.removeItem(at: aside)
        case .databaseRemoved: try manager.removeItem(at: file("ledger.sqlite"))
        case .logReplaced, .lockReplaced:
            let name = change == .logReplaced ? "ledger.sqlite-wal" : "ledger.lock"
            let bytes = try Data(contentsOf: file(name))
            try manager.removeItem(at: file(name))
            try bytes.write(to: file(name))
        }
    }

    @Test(
        "Nothing is acknowledged, and nothing answered, once the files are not the open ones",
        arguments: Change.allCases)
    func refused(change: Change) throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 5))
        _ = try ledger.forget(requestID: "before", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        try apply(change, to: fixture.directory)
        func isReplaced(_ error: any Error) -> Bool {
            if case LedgerError.replaced = error { true } else { false }
        }
        let calls: [() throws -> Void] = [
            { _ = try ledger.forget(requestID: "r", LedgerFixture.forget(users: ["u2"]), at: fixture.now) },
            { _ = try ledger.finishForget(request: "before", at: fixture.now) }, { try ledger.purge() },
            { try ledger.requestTraining(at: fixture.now) }, { _ = try ledger.adapters() },
        ]
        for call in calls { #expect(throws: LedgerError.self, performing: call) }
        for call in calls {
            do {
                try call()
            } catch {
                #expect(isReplaced(error), "\(error)")
            }
        }
        #expect(ledger.displaced.map(isReplaced) == true)
    }

    @Test("A ledger that is left alone goes on through purges, and one that is moved back stays refused")
    func lasting() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 6))
        for user in ["u1", "u2", "u3"] {
            _ = try ledger.forget(requestID: user, LedgerFixture.forget(users: [user]), at: fixture.now)
            try ledger.purge()
        }
        #expect(ledger.displaced == nil)
        let aside = fixture.directory.appendingPathExtension("aside")
        try manager.moveItem(at: fixture.directory, to: aside)
        #expect(throws: LedgerError.self) { try ledger.requestTraining(at: fixture.now) }
        try manager.moveItem(at: aside, to: fixture.directory)
        #expect(throws: LedgerError.self) { try ledger.requestTraining(at: fixture.now) }
    }
}
