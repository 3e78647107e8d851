import Messages

/// How far a worker is that was told to hand everything over and end.
package enum DrainProgress: Equatable, Sendable {
    /// It finishes what it does, or deletes what it holds.
    case here
    /// It is out of reach and may still hold something; it is drained once it comes back.
    case away(StatusReport.Worker)
    /// Nothing of it is left there, or it is not on the list any more.
    case left
    /// An operator wants it back, under its name.
    case resumed(String)

    package init(of worker: String, in report: StatusReport) {
        guard let found = report.workers.first(where: { $0.id == worker }) else {
            self = .left
            return
        }
        switch (found.state, found.duty) {
        case (.live, .drain): self = .here
        case (.live, _): self = .resumed(found.name)
        // Out of reach is not drained: its disk has what it had. One that has handed everything over has nothing to come back for.
        case (.away, .drain) where !found.copies.isEmpty || !found.tasks.isEmpty: self = .away(found)
        case (.away, _): self = .left
        }
    }
}

extension StatusReport.Worker {
    /// Why nothing comes of draining it now, and what does.
    package var absenceText: String {
        let since = awaySeconds.map { " for \(WorkerPresence.span($0))" } ?? ""
        return "worker \(name) is away\(since)" + (awayBecause.map { " (\($0))" } ?? "")
            + ": it is drained once it comes back; if it does not, `lethe workers remove \(name)` declares it gone"
    }
}
