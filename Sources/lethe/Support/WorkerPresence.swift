import Messages

/// How many of the workers that there should be are here, and which are not.
package struct WorkerPresence {
    private let report: StatusReport

    package init(_ report: StatusReport) {
        self.report = report
    }

    private var here: Int { report.workers.count { $0.state == .live } }

    /// nil: nobody said how many there should be.
    package var missing: Int? { report.expectedWorkers.map { max(0, $0 - here) } }

    /// "198 of 200 workers here, missing: node7-1, node9-2"; nil: nobody said how many there should be. Where more are away than are
    /// missing nobody knows which of them are: "199 of 200 workers here, 1 missing; away: node7-1, node9-2".
    package var text: String? {
        guard let expected = report.expectedWorkers, let missing else { return nil }
        let head = "\(here) of \(expected) workers here"
        guard missing > 0 else { return head }
        let away = report.workers.filter { $0.state == .away }.map(\.name)
        let unknown = missing - away.count
        if unknown < 0 { return "\(head), \(missing) missing; away: \(away.listed)" }
        if away.isEmpty { return "\(head), missing: \(missing) that were never here" }
        return "\(head), missing: \(away.listed)" + (unknown > 0 ? " and \(unknown) that were never here" : "")
    }

    /// "0, 2 (old data)", for a column: what the worker's disk may hold. Of a worker that is away, or has just been sent data, it is
    /// not known which of several it is.
    package func copiesText(of worker: StatusReport.Worker) -> String {
        worker.copies.map { copy in
            let present = report.shards.first { $0.shard == copy.shard }?.manifest
            let others = copy.manifests.filter { $0 != present }
            guard !copy.isCurrent, !others.isEmpty else { return "\(copy.shard)" }
            return "\(copy.shard) (\(others == copy.manifests ? "" : "perhaps ")old data)"
        }.joined(separator: ", ")
    }

    /// "40 s", "12 min", "5 h", "3 d": for a column.
    package static func span(_ seconds: Double) -> String {
        switch seconds {
        case ..<120: "\(decimal(seconds, 0)) s"
        case ..<7200: "\(decimal(seconds / 60, 0)) min"
        case ..<172_800: "\(decimal(seconds / 3600, 0)) h"
        default: "\(decimal(seconds / 86_400, 0)) d"
        }
    }
}

extension StatusReport.Worker {
    /// "live", "live, paused", "away for 3 min: it said goodbye"
    var stateText: String {
        guard state == .live else {
            let since = awaySeconds.map { " for \(WorkerPresence.span($0))" } ?? ""
            return "away\(since)" + (awayBecause.map { ": \($0)" } ?? "") + dutyText
        }
        return state.rawValue + (isLeaving == true ? ", leaving" : dutyText)
    }

    private var dutyText: String {
        switch duty {
        case .pause: ", paused"
        case .drain: ", drained"
        case .work, nil: ""
        }
    }
}
