import ArgumentParser
import Client
import Foundation
import Messages
import ZeroMQ

extension BenchCommand {
    struct Questions: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "How many questions a coordinator answers in time.",
            discussion: """
                Every client asks one question after another, each about the same number of items for the next user of \
                the file, and gives up when its patience ends. What counts is what was answered before that.
                """,
            shouldDisplay: false)

        @Option(help: "A file with a user on each line.")
        var users: String

        @Option(help: "A file with an item on each line: candidates.")
        var candidates: String

        @Option(help: "Candidates of a question.")
        var items = 20

        @Option(help: "Clients that ask at the same time.")
        var clients = 1

        @Option(help: "Begin no further question after so many seconds.")
        var seconds = 20.0

        @Option(help: "A client gives up after so many seconds.")
        var patience = 5.0

        @OptionGroup var client: ClientOptions

        private struct Report: Encodable {
            var clients: Int
            var answered = 0
            var givenUp = 0
            var busy = 0
            var answeredPerSecond = 0.0
            /// Of what was answered, from asking to the answer.
            var medianSeconds: Double?
            var longestSeconds: Double?
        }

        private enum End {
            case answered(Double)
            case givenUp
            case busy
        }

        private struct GivenUp: Error {}

        func validate() throws {
            guard (1...1024).contains(clients) else { throw ValidationError("--clients must be from 1 to 1024") }
            guard items > 0, seconds > 0, patience > 0 else {
                throw ValidationError("--items, --seconds and --patience must be above 0")
            }
        }

        func run() throws {
            try reportingFailures(json: client.json) {
                let users = try NamedLines.read(users, of: "user")
                let candidates = Array(try NamedLines.read(candidates, of: "item").prefix(items))
                guard !users.isEmpty, !candidates.isEmpty else {
                    throw CommandFailure(.badInput, "there must be a user and a candidate")
                }
                var report = Report(clients: clients)
                var times: [Double] = []
                let wall = try timed {
                    for end in try ask(users, candidates) {
                        switch end {
                        case .answered(let seconds): times.append(seconds)
                        case .givenUp: report.givenUp += 1
                        case .busy: report.busy += 1
                        }
                    }
                }
                report.answered = times.count
                report.answeredPerSecond = Double(times.count) / wall
                report.medianSeconds = times.isEmpty ? nil : median(times)
                report.longestSeconds = times.max()
                try client.output.emit(report) {
                    "\(report.answered) answered, \(report.givenUp) given up, \(report.busy) refused: "
                        + "\(decimal(report.answeredPerSecond)) a second"
                }
            }
        }

        /// All clients' questions, as they ended.
        private func ask(_ users: [String], _ candidates: [String]) throws -> [End] {
            let ended = try Mailbox<Result<[End], any Error>>()
            for number in 0..<clients {
                let options = client
                let (patience, seconds, step) = (patience, seconds, clients)
                Thread {
                    ended.post(
                        Result {
                            let deadline = ContinuousClock.now + .seconds(seconds)
                            var (ends, position): ([End], Int) = ([], number)
                            var connection: CoordinatorClient?
                            while ContinuousClock.now < deadline {
                                let asking = try connection ?? options.connect()
                                connection = asking
                                let question = ClientRequest.query(
                                    .init(user: users[position % users.count], items: candidates, top: nil))
                                position += step
                                let end = try Self.end(of: question, asking, patience: patience)
                                // Whoever gives up hangs up.
                                if case .givenUp = end { connection = nil }
                                ends.append(end)
                            }
                            return ends
                        })
                }.start()
            }
            var results: [Result<[End], any Error>] = []
            while results.count < clients { results += ended.take() }
            return try results.flatMap { try $0.get() }
        }

        private static func end(
            of question: ClientRequest, _ client: CoordinatorClient, patience: Double
        ) throws -> End {
            let begin = ContinuousClock.now
            do {
                try client.call(question, patience: .seconds(patience)) { _ in
                    if ContinuousClock.now - begin > .seconds(patience) { throw GivenUp() }
                }
                let seconds = (ContinuousClock.now - begin) / .seconds(1)
                return seconds <= patience ? .answered(seconds) : .givenUp
            } catch is GivenUp {
                return .givenUp
            } catch let error as ClientError where error.code == .busy {
                return .busy
            } catch let error as ClientError where error.code == .unreachable {
                return .givenUp
            }
        }
    }
}
