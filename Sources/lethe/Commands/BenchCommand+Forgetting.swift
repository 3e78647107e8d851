import ArgumentParser
import Foundation
import Messages

extension BenchCommand {
    struct Forget: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "How long a coordinator takes to acknowledge forget requests.",
            discussion: """
                Every target of the file is a request of its own; they go one after another over one connection, so that \
                no start of a process is in the figures. What the file names is really forgotten, unless --dry-run asks \
                for plans only.
                """,
            // Nobody should come across this in a list of measurements: it needs a cluster that was made for it.
            shouldDisplay: false)

        @Option(help: "A file of targets, as `lethe forget` takes it.")
        var file: String

        @Option(help: "Begin no further request after so many seconds.")
        var seconds = Double.infinity

        @Flag(help: "Only ask what would happen.")
        var dryRun = false

        @OptionGroup var client: ClientOptions

        private struct Report: Encodable {
            var requests: Int
            /// From sending to the reply.
            var medianSeconds: Double
            var p99Seconds: Double
            var longestSeconds: Double
            /// One by one, in the file's order.
            var seconds: [Double]

            init(_ seconds: [Double]) {
                let sorted = seconds.sorted()
                requests = seconds.count
                medianSeconds = median(seconds)
                p99Seconds = sorted[Int((0.99 * Double(sorted.count)).rounded(.up)) - 1]
                longestSeconds = sorted[sorted.count - 1]
                self.seconds = seconds
            }
        }

        func run() throws {
            try client.withClient { coordinator in
                var targets = ForgetTargets()
                try targets.addFile(file)
                let requests =
                    targets.users.map { request(users: [$0]) }
                    + targets.interactions.map { request(interactions: [$0]) }
                guard !requests.isEmpty else { throw CommandFailure(.badInput, "\(file) names nothing to forget") }
                // Connecting is in no figure.
                try coordinator.call(.status, patience: .seconds(600))
                var times: [Double] = []
                for request in requests where times.reduce(0, +) < seconds {
                    times.append(try timed { try coordinator.call(request, patience: .seconds(600)) })
                }
                guard !times.isEmpty else { throw CommandFailure(.usage, "--seconds must be above 0") }
                let report = Report(times)
                try client.output.emit(report) {
                    """
                    \(report.requests) \(dryRun ? "plans" : "acknowledgements"): median \
                    \(decimal(report.medianSeconds * 1000)) ms, 99 of 100 within \(decimal(report.p99Seconds * 1000)) ms, \
                    longest \(decimal(report.longestSeconds * 1000)) ms
                    """
                }
            }
        }

        private func request(
            users: [String] = [], interactions: [ClientRequest.ForgetRequest.Target] = []
        ) -> ClientRequest {
            .forget(.init(users: users, interactions: interactions, dryRun: dryRun))
        }
    }
}
