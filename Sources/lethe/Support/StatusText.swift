import Foundation
import Messages

/// What `lethe status` shows people: everything once, in the width of where it is shown.
package struct StatusText {
    private let reply: StatusReply
    private let terminal: Terminal
    private var report: StatusReport { reply.report }

    package init(_ reply: StatusReply, on terminal: Terminal) {
        self.reply = reply
        self.terminal = terminal
    }

    package var text: String {
        var parts = [wrapped(summary)]
        if !progressing.isEmpty { parts.append(progressTable) }
        if !report.shards.isEmpty { parts.append(shardTable) }
        parts.append(report.workers.isEmpty ? "no workers" : workerTable)
        let rest = running + waiting + remarks
        if !rest.isEmpty { parts.append(wrapped(rest)) }
        return parts.joined(separator: "\n\n")
    }

    private func wrapped(_ lines: [String]) -> String {
        lines.map { line in
            let text = terminal.wrapped(line)
            return line.hasPrefix("stuck: ") ? terminal.coloured(text, .red) : text
        }.joined(separator: "\n")
    }

    private var summary: [String] {
        let (statistics, data, attention) = (reply.statistics, report.data, reply.attention)
        var lines =
            [
                "cluster \(report.cluster)  base \(report.base.prefix(16))  \(report.precision)",
                "data: \(statistics.users) users, \(statistics.items) items, \(statistics.interactions) interactions",
                "prompts: \(data.trainPrompts) training, \(data.validationPrompts) validation, \(data.testPrompts) test",
                activity,
            ] + [WorkerPresence(report).text].compactMap(\.self) + report.disputes + report.stuck.map(\.text)
            + unkept
        lines += (reply.keysPutAside ?? []).map {
            "keys that were put aside still open what was sealed with them; destroy \($0), and every copy of it"
        }
        if let count = statistics.promptsShortened, count > 0 {
            lines.append(
                "\(count) prompts have shortened titles: \((statistics.shortened ?? []).joined(separator: ", "))")
        }
        if report.tuned {
            lines.append("attention: τ \(decimal(attention.tau, 1)), n \(attention.neighbours)")
        } else {
            lines.append("attention: not tuned; equal weights")
        }
        return lines
    }

    /// What workers could not keep of trainings that go on.
    private var unkept: [String] {
        report.workers.flatMap { worker in
            worker.tasks.compactMap { task in
                (task.unkept ?? task.note).map { note in
                    "worker \(worker.id.prefix(8)), shard \(task.shard.map(String.init) ?? "-"): \(note)"
                }
            }
        }
    }

    // MARK: what workers are at

    /// Tasks that say how far they are, each with its worker.
    private var progressing: [(worker: StatusReport.Worker, task: StatusReport.Task)] {
        report.workers.flatMap { worker in worker.tasks.filter(\.hasProgress).map { (worker, $0) } }
    }

    /// The coordinator's line names every training with its progress, which stands in a table here.
    private var activity: String {
        for (verb, kind) in [("training", "train"), ("correcting", "correct")]
        where report.activity.hasPrefix(verb + " ") {
            let shards = report.workers.flatMap(\.tasks).filter { $0.kind == kind }.compactMap(\.shard).sorted()
            guard !shards.isEmpty else { continue }
            let list = shards.map(String.init).joined(separator: ", ")
            return "\(verb) \(shards.count == 1 ? "shard" : "shards") \(list)"
        }
        return report.activity
    }

    private var progressTable: String {
        let head = ["task", "shard", "done", "step", "loss", "tokens/s", "left", "worker"]
        return table([head] + progressing.map { progressRow($0.task, of: $0.worker) })
    }

    private func progressRow(_ task: StatusReport.Task, of worker: StatusReport.Worker) -> [String] {
        let (step, steps) = (task.step ?? 0, max(1, task.steps ?? 1))
        var row: [String] = [task.kind]
        row.append(task.shard.map(String.init) ?? "-")
        row.append(terminal.bar(Double(step) / Double(steps)))
        row.append("\(step) of \(steps)")
        row.append(task.loss.map { decimal($0) } ?? "-")
        row.append(task.tokensPerSecond.map { decimal($0, 0) } ?? "-")
        row.append(task.secondsRemaining.map { decimal($0, 0) + " s" } ?? "-")
        row.append(String(worker.id.prefix(8)))
        return row
    }

    private var shardTable: String {
        let rows = report.shards.map { shard in
            [
                "\(shard.shard)", shard.state.rawValue, "\(shard.prompts)", String((shard.adapter ?? "-").prefix(16)),
                shard.methodText, shard.prepared ? "yes" : "-", String((shard.owner ?? "-").prefix(8)),
            ]
        }
        return table([["shard", "state", "prompts", "adapter", "method", "prepared", "owner"]] + rows)
    }

    private var workerTable: String {
        let rows = report.workers.map { worker in
            [
                String(worker.id.prefix(8)), worker.name, worker.stateText, "\(worker.threads)",
                worker.shards.map(String.init).joined(separator: ", "),
                worker.tasks.filter { !$0.hasProgress }.map(\.line).joined(separator: "; "),
            ]
        }
        return table([["worker", "name", "state", "threads", "shards", "doing"]] + rows)
    }

    private func table(_ rows: [[String]]) -> String {
        let lines = Table(rows).text(width: terminal.width).split(separator: "\n", omittingEmptySubsequences: false)
        guard terminal.isRich, let head = lines.first else { return lines.joined(separator: "\n") }
        return ([terminal.coloured(String(head), .faint)] + lines.dropFirst().map(String.init)).joined(separator: "\n")
    }

    // MARK: requests

    private var running: [String] {
        var lines = report.operations.filter { $0.state == .running }.map { operation in
            // What is being done for data and adapters stands above.
            let isSaid = operation.progress == report.activity
            return "\(operation.kind) \(operation.id): \(terminal.bar(operation.fraction))"
                + (isSaid ? "" : ", \(operation.progress)")
        }
        let others = (report.operationsTotal ?? 0) - report.operations.count
        if others > 0 { lines.append("\(others) more operations are not listed") }
        return lines
    }

    private var waiting: [String] {
        var lines = report.pendingForgets.map { forget in
            let method = forget.method + (forget.bridge.map { ", bridged by \($0)" } ?? "")
            return "forget \(forget.request) (\(method)) waits for: \(forget.waits.joined(separator: "; "))"
        }
        let more = (report.pendingForgetsTotal ?? 0) - report.pendingForgets.count
        if more > 0 { lines.append("and \(more) more forget requests") }
        return lines
    }

    private var remarks: [String] {
        var lines: [String] = []
        if let change = reply.statistics.promptsChange {
            let date = Date(timeIntervalSince1970: Double(change.time) / 1000).formatted(.iso8601)
            let fields = change.changes.map { "\($0.field.rawValue) from \($0.recorded) to \($0.given)" }
            lines.append("prompts were changed \(date): \(fields.joined(separator: ", "))")
        }
        for shard in report.shards where shard.prompts > 0 && (shard.likes == 0 || shard.likes == shard.prompts) {
            lines.append("shard \(shard.shard): all \(shard.prompts) prompts have the same answer")
        }
        for shard in report.shards {
            if let damage = shard.damage { lines.append("shard \(shard.shard): \(damage)") }
        }
        for shard in report.shards {
            guard let fallback = shard.fallback else { continue }
            lines.append("shard \(shard.shard) is retrained instead of corrected: \(fallback)")
        }
        return lines
    }
}

extension StatusReport.Task {
    fileprivate var hasProgress: Bool { step != nil && (steps ?? 0) > 0 }

    /// The same where a coordinator of before says it in its line only, behind the progress, which stands in a table.
    fileprivate var note: String? {
        description.firstRange(of: " s left; ").map { String(description[$0.upperBound...]) }
    }
}

extension StatusReport.Task {
    /// "score for an operation (1234abcd)"; a coordinator of before names the operation in its own line.
    var line: String { operation.map { "\(description) (\($0.prefix(8)))" } ?? description }
}

extension StatusReport.StuckDuty {
    /// "stuck: signing a certificate (ticket-4711), attempt 4 (disk-full): …"
    fileprivate var text: String {
        // A coordinator of before names the request in its own line.
        let name = request.flatMap { description.contains($0) ? nil : " (\($0))" } ?? ""
        return "stuck: \(description)\(name), attempt \(attempts) (\(code)): \(reason)"
    }
}

extension StatusReport.Shard {
    /// "ifru (approximate since …, 2 corrections)", "apa (stage 2 of 4, exact)"
    fileprivate var methodText: String {
        guard let method else { return "-" }
        guard exact == false else { return method + (stage.map { " (\(StageWords.text($0, of: slices)))" } ?? "") }
        // To the minute, and in words that can stand on lines of their own.
        let since = approximateSince.map { seconds in
            let time = Date(timeIntervalSince1970: seconds).formatted(.iso8601)
            return " since \(time.prefix(16).replacing("T", with: " ")) UTC"
        }
        let count = corrections.map { ", corrections: \($0)" } ?? ""
        return "\(method) (approximate\(since ?? "")\(count))"
    }
}
