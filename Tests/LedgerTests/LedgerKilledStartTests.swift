import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing

/// A start that takes a key folder as it is sets aside, one transaction after another, what has no key in it.
@Suite("Ledger: starts that are killed")
struct LedgerKilledStartTests {
    enum Start: CaseIterable, Sendable {
        /// An older folder; somebody says so.
        case olderFolder
        /// A database and an older folder of a release that knew no epochs and sealed neither sums nor centres; somebody says so.
        case upgrade
        /// The database's own folder, and one person's row that names no key of it.
        case damagedPerson

        var accepted: AcceptedLosses {
            switch self {
            case .olderFolder: .keys
            case .upgrade: .auditLog
            case .damagedPerson: []
            }
        }
    }

    private struct Killed: Error {}

    private let isRecorded = "SELECT value FROM meta WHERE key = 'key epoch'"

    /// A closed ledger of eight people, one of whom the start is to lose.
    private func prepare(_ start: Start, _ fixture: LedgerFixture) throws {
        let data = SyntheticRatings(users: 8, seed: 61)
        let ledger = try fixture.trained(data.without(users: ["u7"]))
        let keys = fixture.directory.appendingPathComponent("keys")
        let older = fixture.directory.appendingPathExtension("older")
        defer { try? FileManager.default.removeItem(at: older) }
        try FileManager.default.copyItem(at: keys, to: older)
        try fixture.load(data, into: ledger, id: "more")
        switch start {
        case .damagedPerson:
            try ledger.close()
            return try Ledger.tamper(
                "UPDATE people SET key = (key | 8) - (key & 8) WHERE id = (SELECT MAX(id) FROM people)",
                at: fixture.database)
        case .olderFolder: try ledger.close()
        case .upgrade: _ = try fixture.leaveInClear(ledger)
        }
        try FileManager.default.removeItem(at: keys)
        try FileManager.default.copyItem(at: older, to: keys)
        if start == .upgrade { try fixture.removeKeyEpochs() }
    }

    @Test(
        "Killed anywhere after it took its folder, the next start needs no word from anybody and loses nobody else",
        arguments: Start.allCases)
    func everywhere(start: Start) throws {
        let fixture = LedgerFixture(partition: .user)
        try prepare(start, fixture)
        let before = try Ledger.inspect(isRecorded, at: fixture.database)
        var (number, isKilled, resumed) = (0, true, 0)
        while isKilled {
            number += 1
            isKilled = false
            let running = try fixture.copyOfFiles()
            let killed = fixture.directory.appendingPathExtension("killed-\(number)")
            defer { for folder in [running, killed] { try? FileManager.default.removeItem(at: folder) } }
            var reached = 0
            do {
                let ledger = try Ledger(
                    directory: running, configuration: fixture.configuration, accepting: start.accepted,
                    at: fixture.now
                ) { _ in
                    reached += 1
                    guard reached == number else { return }
                    try FileManager.default.copyItem(at: running, to: killed)
                    throw Killed()
                }
                try ledger.close()
            } catch is Killed {
                isKilled = true
            }
            let left = isKilled ? killed : running
            let isTaken = try Ledger.inspect(isRecorded, at: left.appendingPathComponent("ledger.sqlite")) != before
            for attempt in 0..<2 {
                let again = try Ledger(
                    directory: left, configuration: fixture.configuration,
                    accepting: isTaken || attempt > 0 ? [] : start.accepted, at: fixture.now)
                #expect(try again.statistics().users == 7 && again.isNamedByItsPrompts(), "\(number)")
                #expect(try again.auditLog().count { $0.kind == "person damaged" } == 1, "\(number)")
                let waivers = try again.auditLog().count { $0.kind == "keys of another age" }
                #expect(waivers == (start == .olderFolder ? 1 : 0), "\(number)")
                try again.close()
            }
            if isTaken, isKilled { resumed += 1 }
        }
        #expect(resumed > 6)
    }
}
