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

        @Option(help: "Connections that ask at the same time, each for its share of the targets.")
        var clients = 1

        @Option(help: "Begin no request of a connection sooner than so many seconds after the one before.")
        var every = 0.0

        @Flag(help: "Only ask what would happen.")
        var dryRun = false

        @OptionGroup var client: ClientOptions

        private struct Report: Encodable {
            var requests: Int
            var clients: Int
            var requestsPerSecond: Double
            /// From sending to the reply.
            var medianSeconds: Double
            var p99Seconds: Double
            var longestSeconds: Double
            /// Of the status, asked for meanwhile.
            var statusP99Seconds: Double
            /// One by one, in the file's order, of one client after the other.
            var seconds: [Double]

            init(_ seconds: [Double], status: [Double], clients: Int, wall: Double) {
                let sorted = seconds.sorted()
                requests = seconds.count
                self.clients = clients
                requestsPerSecond = Double(seconds.count) / wall
                medianSeconds = median(seconds)
                p99Seconds = Self.p99(sorted)
                statusP99Seconds = Self.p99(status.sorted())
                longestSeconds = sorted[sorted.count - 1]
                self.seconds = seconds
            }

            private static func p99(_ sorted: [Double]) -> Double {
                sorted.isEmpty ? .nan : sorted[Int((0.99 * Double(sorted.count)).rounded(.up)) - 1]
            }
        }

        func validate() throws {
            guard (1...1024).contains(clients) else { throw ValidationError("--clients must be from 1 to 1024") }
            guard (0...3600).contains(every) else { throw ValidationError("--every must be from 0 to 3600") }
        }

        func run() throws {
            var targets = ForgetTargets()
            try targets.addFile(file)
            let requests =
                targets.users.map { request(users: [$0]) }
                + targets.interactions.map { request(interactions: [$0]) }
            guard !requests.isEmpty else { throw CommandFailure(.badInput, "\(file) names nothing to forget") }
            let shares = (0..<clients).map { first in
                stride(from: first, to: requests.count, by: clients).map { requests[$0] }
            }
            try reportingFailures(json: client.json) {
                let asking = try BenchClients(shares: shares, seconds: seconds, every: every) { try client.connect() }
                var (times, status): ([Double], [Double]) = ([], [])
                let wall = try timed { (times, status) = try asking.run() }
                guard !times.isEmpty else { throw CommandFailure(.usage, "--seconds must be above 0") }
                let report = Report(times, status: status, clients: clients, wall: wall)
                try client.output.emit(report) {
                    """
                    \(report.requests) \(dryRun ? "plans" : "acknowledgements"), \(clients) at a time: \
                    \(decimal(report.requestsPerSecond)) a second, median \(decimal(report.medianSeconds * 1000)) ms, \
                    99 of 100 within \(decimal(report.p99Seconds * 1000)) ms, longest \
                    \(decimal(report.longestSeconds * 1000)) ms; status meanwhile: 99 of 100 within \
                    \(decimal(report.statusP99Seconds * 1000)) ms
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
