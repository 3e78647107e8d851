import Foundation
import Messages

/// What operators act on, of the cluster as it was seen last.
extension PrometheusText {
    mutating func add(_ seen: ClusterView.Seen, dueDays: Int, now: Date) {
        let (report, statistics) = (seen.status.report, seen.status.statistics)
        if let questions = seen.status.questions {
            gauge(
                "lethe_coordinator_questions_waiting", "Questions that the coordinator has not begun.",
                Double(questions.waiting))
            gauge(
                "lethe_coordinator_questions_computing", "Questions that are being computed.",
                Double(questions.computing))
            if let gateways = questions.gateways {
                gauge("lethe_leases", "Gateways that may answer beside the coordinator.", Double(gateways))
            }
            family("lethe_coordinator_questions_answered_total", "counter", "Since the coordinator was started.")
            sample("lethe_coordinator_questions_answered_total", [], Double(questions.answered))
            if let tokens = questions.promptTokens {
                counter(
                    "lethe_coordinator_prompt_tokens_total",
                    "Tokens of the prompts that the coordinator computed for questions since it was started.",
                    Double(tokens))
            }
        }
        family("lethe_shards", "gauge", "Shards by the state of their adapter.")
        for state in Self.states {
            sample("lethe_shards", [("state", state.rawValue)], Double(report.shards.count { $0.state == state }))
        }
        gauge(
            "lethe_shards_quarantined", "Shards whose adapter saw what was forgotten, so that it answers nothing.",
            Double(report.shards.count { $0.quarantinedSince != nil && $0.adapter == nil }))
        gauge(
            "lethe_tasks_running", "Tasks that workers have.", Double(report.workers.reduce(0) { $0 + $1.tasks.count }))
        gauge("lethe_tasks_waiting", "Shards that wait for a worker to train or correct them.", Double(report.waiting))
        if let tokens = report.trainedTokens {
            counter(
                "lethe_trained_tokens_total",
                "Prompt tokens of the trainings of shards that ended since the coordinator was started.",
                Double(tokens))
        }
        gauge(
            "lethe_training_tokens_per_second", "Prompt tokens a second of the trainings that run, of all workers.",
            report.workers.flatMap(\.tasks).filter { $0.kind == "train" }.reduce(0) { $0 + ($1.tokensPerSecond ?? 0) })
        gauge("lethe_workers_live", "Workers that are there.", Double(report.workers.count { $0.state == .live }))
        gauge("lethe_workers_away", "Workers that were there.", Double(report.workers.count { $0.state == .away }))
        gauge(
            "lethe_requests_pending", "Forget requests that are not finished.",
            Double(report.pendingForgetsTotal ?? report.pendingForgets.count))
        let oldest = seen.pending.first.flatMap { Date(iso8601: $0.received) }
        gauge(
            "lethe_requests_oldest_pending_seconds", "Age of the oldest forget request that is not finished; 0: none.",
            oldest.map { max(0, now.timeIntervalSince($0)) } ?? 0)
        gauge(
            "lethe_retraining_owed_seconds",
            "Seconds of training that must be done before the nearest due date: what pending forget requests wait for, each "
                + "shard as long as its last training took, scaled to its prompts, or as its running training says. All of it "
                + "by one worker; of the requests that the status lists, and of shards with a training on record.",
            report.retrainingOwed)
        // A number in its place would look like a date.
        if let due = seen.pending.first.flatMap({ $0.due(days: dueDays) }) {
            gauge(
                "lethe_requests_nearest_due_seconds",
                "Seconds until the nearest due date of a pending forget request, negative once it passed; absent: none is pending.",
                due.timeIntervalSince(now))
        }
        gauge(
            "lethe_copies_unconfirmed", "Copies on workers' disks that pending requests wait for.",
            Double(Set(report.pendingForgets.flatMap(\.unconfirmed)).count))
        gauge("lethe_duties_stuck", "Work that fails and is tried again.", Double(report.stuck.count))
        family("lethe_requests_total", "counter", "Forget requests ever accepted.")
        sample("lethe_requests_total", [], Double(statistics.forgetRequests))
        gauge("lethe_users", "People in the ledger.", Double(statistics.users))
    }

    private static let states: [StatusReport.Shard.State] = [
        .current, .approximate, .bridged, .correcting, .training, .damaged, .quarantined, .outdated, .empty, .untrained,
    ]
}

extension StatusReport {
    /// Of the shards that pending forget requests have retrained, seconds of training.
    fileprivate var retrainingOwed: Double {
        var left: [Int: Double] = [:]
        for task in workers.flatMap(\.tasks) where task.kind == "train" {
            if let shard = task.shard, let seconds = task.secondsRemaining { left[shard] = max(0, seconds) }
        }
        let exact = ForgetMethod.apa.rawValue
        let (retrained, corrected) = (
            Set(pendingForgets.filter { $0.method == exact }.flatMap(\.waitingFor)),
            Set(pendingForgets.filter { $0.method != exact }.flatMap(\.waitingFor))
        )
        return shards.reduce(0) { sum, shard in
            // What was to be corrected is retrained where it could not be.
            let isOwed =
                retrained.contains(shard.shard) || (corrected.contains(shard.shard) && shard.fallback != nil)
            return isOwed ? sum + (left[shard.shard] ?? shard.trainingSeconds ?? 0) : sum
        }
    }

    /// Shards without an adapter of their present data on which no worker works.
    fileprivate var waiting: Int {
        let worked = Set(
            workers.flatMap(\.tasks).filter { ["train", "correct"].contains($0.kind) }.compactMap(\.shard))
        return shards.count { shard in
            switch shard.state {
            case .current, .approximate, .empty: false
            // Nobody has asked for a training yet.
            case .untrained: false
            default: !worked.contains(shard.shard)
            }
        }
    }
}
