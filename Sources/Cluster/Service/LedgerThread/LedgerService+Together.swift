import Coordination
import Foundation
import Ledger
import Messages
import ZeroMQ

/// Group commit: writes that wait together are one transaction, so that its syncs are paid once.
extension LedgerService {
    /// Writes of one transaction at most, beside the requests that are closed with them: others are not to wait longer for it
    /// than they would notice.
    static let writesTogether = 16

    /// Returns when to be called again though nothing is given: requests wait to be closed.
    func perform(_ works: [LedgerWork]) -> SerialThreadRest {
        var waiting: [LedgerWrite] = []
        for work in works {
            switch work {
            case .call(let body):
                commit(&waiting)
                body(self)
                setDamagedPeopleAside()
            case .write(let write) where write.command == .partition && write.access == nil && later != nil:
                commit(&waiting)
                partition(write)
            case .write(let write) where write.command == .tuneAttention && write.access == nil && later != nil:
                commit(&waiting)
                tune(write)
            case .write(let write) where write.command?.isShort == false:
                commit(&waiting)
                waiting = [write]
                commit(&waiting)
            case .write(let write) where write.command?.finishedRequest != nil && later != nil:
                closings.add(write, at: .now)
            case .write(var write):
                if write.command == nil {
                    guard owesEntry(for: write.access) else {
                        write.done(self, nil)
                        continue
                    }
                    write.access = nil
                }
                waiting.append(write)
                if waiting.count == Self.writesTogether { commit(&waiting) }
            }
        }
        commit(&waiting)
        let due = closings.takeDue(at: .now)
        if !due.isEmpty { commitTogether(due) }
        return closings.next.map { .by($0) } ?? .none
    }

    /// What waits to be closed, before the ledger is.
    func commitClosings() {
        let waiting = closings.takeAll()
        if !waiting.isEmpty { commitTogether(waiting) }
    }

    /// Somebody whose record does not open must not keep everybody else from going on.
    private func setDamagedPeopleAside() {
        guard ledger.hasDamagedPeople else { return }
        let done = result { try ledger.setDamagedPeopleAside(at: Date()) }
        if case .success = done { whenDataChanges?() }
    }

    private func commit(_ waiting: inout [LedgerWrite]) {
        defer { waiting = [] }
        guard !waiting.isEmpty else { return }
        defer { setDamagedPeopleAside() }
        if waiting.count == 1 && waiting[0].command?.isShort != true {
            commitAlone(waiting[0])
        } else {
            commitTogether(waiting + closings.take(besides: waiting.count(where: \.acknowledges), at: .now))
        }
    }

    /// What is no mere change of rows, or an entry alone.
    private func commitAlone(_ write: LedgerWrite) {
        guard let command = write.command else {
            try? writeAccesses()
            return write.done(self, nil)
        }
        let outcome = perform(command, at: Date())
        publishFacts()
        write.done(self, outcome)
    }

    private func commitTogether(_ writes: [LedgerWrite]) {
        let time = Date()
        let entries = (journal, unwritten)
        let finished = writes.compactMap { $0.command?.finishedRequest }
        let purge = finished.isEmpty ? nil : result { try ledger.purge(before: finished) }
        let commits = ledger.commits
        let results: [Result<ForgetOutcome?, ClientError>]
        do {
            results = try ledger.together { writes.map { written($0, purge, at: time) } }
        } catch {
            (journal, unwritten) = entries
            if ledger.commits == commits, writes.count > 1 {
                // Nothing was written: each shall fail for reasons of its own.
                for write in writes { commitTogether([write]) }
                return
            }
            let isWritten = ledger.commits != commits
            for write in writes { write.done(self, .failed(ClientError(of: error))) }
            if isWritten { whenDataChanges?() }
            return
        }
        let snapshot = snapshotAfterCommit()
        publishFacts()
        for (write, result) in zip(writes, results) {
            write.done(self, write.command.map { Self.outcome(of: $0, result, snapshot) })
        }
    }

    private func written(
        _ write: LedgerWrite, _ purge: Result<Void, ClientError>?, at time: Date
    ) -> Result<ForgetOutcome?, ClientError> {
        let made = result { () throws -> ForgetOutcome? in
            if write.command?.finishedRequest != nil { try purge?.get() }
            return try write.command.flatMap { try commit($0, at: time) }
        }
        if case .success = made, let access = write.access {
            unwritten += journal.take(access, at: time)
        }
        // One that cannot be written now is written with the next.
        try? writeAccesses()
        return made
    }

    private func snapshotAfterCommit() -> Result<LedgerSnapshot, ClientError> {
        result { try ledger.snapshot() }.mapError { ClientError(code: .unread, message: $0.message) }
    }

    private static func outcome(
        of command: LedgerCommand, _ result: Result<ForgetOutcome?, ClientError>,
        _ snapshot: Result<LedgerSnapshot, ClientError>
    ) -> LedgerOutcome {
        do throws(ClientError) {
            let forgotten = try result.get()
            let snapshot = try snapshot.get()
            if let forgotten { return .forgotten(forgotten, snapshot) }
            if case .finishForget = command { return .finished(snapshot) }
            return .committed(snapshot)
        } catch {
            return .failed(error)
        }
    }
}
