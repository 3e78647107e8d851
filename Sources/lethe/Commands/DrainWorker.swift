import ArgumentParser
import Client
import Foundation
import Messages

struct DrainWorker: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain", abstract: "Have a worker hand everything over and end.",
        discussion: """
            It finishes what it does and gets nothing new; its shards are other workers', it deletes what it holds of them and \
            says so, says goodbye, and its process ends with status 0. It stays on the list as away until it is removed or comes \
            back; then it works again. `lethe workers resume` before that keeps it. One that is away is drained once it comes back, \
            or at once if it holds nothing.
            """)

    /// Of seconds. After a minute the coordinator expects nobody back.
    private static let patience = 0...86_400

    @OptionGroup var named: NamedWorker

    @Flag(help: "Wait until it has left.")
    var wait = false

    @Option(
        help:
            "With --wait: seconds to wait for a worker that is away to come back, \(patience.inWords). Then the command ends with status 75."
    )
    var timeout = 60

    /// The order's reply, and whether the worker is there.
    private struct Summary: Encodable {
        var worker: String
        var name: String
        var verb: WorkerOrder.Verb
        var tasks: Int
        var shards: [Int]
        /// draining, away or left.
        var progress: String
        /// Of one that is away.
        var awaySeconds: Double?
        var awayBecause: String?
    }

    func run() throws {
        try named.client.withClient { coordinator in
            try within(Self.patience, timeout, "--timeout")
            let reply = try named.give(.drain, coordinator)
            let progress = try wait ? left(reply, coordinator) : self.progress(reply, coordinator)
            var summary = Summary(
                worker: reply.worker, name: reply.name, verb: reply.verb, tasks: reply.tasks, shards: reply.shards,
                progress: "draining")
            let text: String
            switch progress {
            case .left: (summary.progress, text) = ("left", "worker \(reply.name) has left")
            case .away(let found):
                (summary.progress, summary.awaySeconds) = ("away", found.awaySeconds)
                (summary.awayBecause, text) = (found.awayBecause, found.absenceText)
            case .resumed(let name): throw Self.resumed(name)
            case .here:
                let tasks = reply.tasks == 0 ? "" : "; it finishes \(reply.tasks) tasks first"
                text = "worker \(reply.name) is drained\(tasks): lethe workers says when it is gone"
            }
            try named.client.output.emit(summary, done: "the order is given") { text }
        }
    }

    private func progress(_ reply: WorkerOrderReply, _ coordinator: CoordinatorClient) throws -> DrainProgress {
        let report = try ReplyCoding.decode(StatusReply.self, from: coordinator.call(.status).body).report
        return DrainProgress(of: reply.worker, in: report)
    }

    /// Waits until it has left.
    private func left(_ reply: WorkerOrderReply, _ coordinator: CoordinatorClient) throws -> DrainProgress {
        let clock = ContinuousClock()
        var awaySince: ContinuousClock.Instant?
        while true {
            switch try progress(reply, coordinator) {
            case .left: return .left
            case .resumed(let name): throw Self.resumed(name)
            case .here: awaySince = nil
            case .away(let found):
                if awaySince == nil { Output.note("\(found.absenceText); waiting \(timeout) s for it") }
                let since = awaySince ?? clock.now
                guard clock.now < since + .seconds(timeout) else {
                    throw CommandFailure(.notReady, found.absenceText)
                }
                awaySince = since
            }
            Thread.sleep(forTimeInterval: 0.5)
        }
    }

    private static func resumed(_ name: String) -> CommandFailure {
        CommandFailure(.failed, "worker \(name) is not drained any more")
    }
}
