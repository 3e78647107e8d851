import ArgumentParser
import Foundation
import Messages

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show workers, shards, progress and pending forget requests.")

    @Flag(help: "Show it again every second until interrupted.")
    var watch = false

    @OptionGroup var client: ClientOptions

    func run() throws {
        try client.withClient { coordinator in
            repeat {
                let reply = try coordinator.call(.status)
                if watch, !client.json, isatty(STDOUT_FILENO) == 1 { print("\u{1B}[H\u{1B}[2J", terminator: "") }
                try client.output.emit(json: reply.body) {
                    try StatusText(ReplyCoding.decode(StatusReply.self, from: reply.body)).text
                }
                if watch {
                    fflush(nil)
                    Thread.sleep(forTimeInterval: 1)
                }
            } while watch
        }
    }
}

private struct StatusText {
    let reply: StatusReply
    var report: StatusReport { reply.report }

    init(_ reply: StatusReply) { self.reply = reply }

    var text: String {
        let (cluster, base, precision) = (report.cluster, report.base, report.precision)
        let (data, statistics, attention) = (report.data, reply.statistics, reply.attention)
        var lines =
            [
                "cluster \(cluster)  base \(base.prefix(16))  \(precision)",
                "data: \(statistics.users) users, \(statistics.items) items, \(statistics.interactions) interactions; prompts: "
                    + "\(data.trainPrompts) training, \(data.validationPrompts) validation, \(data.testPrompts) test",
                report.activity,
            ] + report.disputes + report.stuck.map(\.text)
        if let count = statistics.promptsShortened, count > 0 {
            lines.append(
                "\(count) prompts have shortened titles: \((statistics.shortened ?? []).joined(separator: ", "))")
        }
        if report.tuned {
            lines.append("attention: τ \(decimal(attention.tau, 1)), n \(attention.neighbours)")
        } else {
            lines.append("attention: not tuned; equal weights")
        }
        let shardRows = report.shards.map { shard in
            [
                "\(shard.shard)", shard.state.rawValue, "\(shard.prompts)", String((shard.adapter ?? "-").prefix(16)),
                shard.methodText, shard.prepared ? "yes" : "-",
                String((shard.owner ?? "-").prefix(8)),
            ]
        }
        lines += ["", table([["shard", "state", "prompts", "adapter", "method", "prepared", "owner"]] + shardRows)]
        let workerRows = report.workers.map { worker in
            [
                String(worker.id.prefix(8)), worker.name, worker.state.rawValue, "\(worker.threads)",
                worker.shards.map(String.init).joined(separator: ","),
                worker.tasks.map(\.description).joined(separator: "; "),
            ]
        }
        if report.workers.isEmpty {
            lines += ["", "no workers"]
        } else {
            lines += ["", table([["worker", "name", "state", "threads", "shards", "doing"]] + workerRows)]
        }
        for operation in report.operations where operation.state == .running {
            lines.append("\(operation.kind) \(operation.id): \(operation.progress)")
        }
        for forget in report.pendingForgets {
            let method = forget.method + (forget.bridge.map { ", bridged by \($0)" } ?? "")
            lines.append("forget \(forget.request) (\(method)) waits for: \(forget.waits.joined(separator: "; "))")
        }
        let more = (report.pendingForgetsTotal ?? 0) - report.pendingForgets.count
        if more > 0 { lines.append("and \(more) more forget requests") }
        let others = (report.operationsTotal ?? 0) - report.operations.count
        if others > 0 { lines.append("\(others) more operations are not listed") }
        if let change = statistics.promptsChange {
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
        return lines.joined(separator: "\n")
    }
}

extension StatusReport.StuckDuty {
    /// "stuck: tuning the attention, attempt 4 (failed): …"
    fileprivate var text: String { "stuck: \(description), attempt \(attempts) (\(code)): \(reason)" }
}

extension StatusReport.Shard {
    /// "ifru (approximate since …, 2 corrections)"
    fileprivate var methodText: String {
        guard let method else { return "-" }
        guard exact == false else { return method }
        let since = approximateSince.map { " since \(Date(timeIntervalSince1970: $0).formatted(.iso8601))" } ?? ""
        let count = corrections.map { ", corrections: \($0)" } ?? ""
        return "\(method) (approximate\(since)\(count))"
    }
}
