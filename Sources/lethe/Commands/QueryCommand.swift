import ArgumentParser
import Client
import Experiments
import Foundation
import Messages
import Unlearning

struct QueryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query",
        abstract: "Ask what users would like.",
        discussion: """
            With --item or --candidates, P(like) of these items, each weighing the adapters for its own prompt. With --top, \
            the best of them, or of whatever in the catalogue the user has not rated yet: the adapters are weighed once, for \
            the user's history, so that all candidates share one model. The reply names the weights and the adapters.

            Every item costs a computation: more than --limit are only ranked if you name them.
            """)

    @Option(parsing: .upToNextOption, help: "The user, or several: they are answered together.")
    var user: [String] = []

    @Option(help: "A file with a user on each line; - for standard input.")
    var users: String?

    @Option(parsing: .upToNextOption, help: "Items to ask about.")
    var item: [String] = []

    @Option(
        help: "A file with an item on each line; - for standard input. At most \(WireLimits.candidates.upperBound).")
    var candidates: String?

    @Option(help: "Rank them, or else the catalogue, and return the best N, \(WireLimits.top.inWords).")
    var top: Int?

    @Option(
        help:
            "Rank the catalogue if it has at most N items that the user has not rated. [default: \(WireLimits.ranked)]")
    var limit: Int?

    @Flag(help: "Say what each item's weights rest on: neighbours among the validation prompts, and errors on them.")
    var explain = false

    @OptionGroup var client: ClientOptions

    func validate() throws {
        guard !user.isEmpty || users != nil else { throw ValidationError("name a --user, or a file of --users") }
        guard !item.isEmpty || candidates != nil || top != nil else {
            throw ValidationError("name --item, --candidates or --top")
        }
        guard limit == nil || (item.isEmpty && candidates == nil) else {
            throw ValidationError("--limit bounds a ranking of the catalogue; here the items are named")
        }
        guard users != "-" || candidates != "-" else {
            throw ValidationError("only one of --users and --candidates can be standard input")
        }
        for (name, value) in [("--top", top), ("--limit", limit)] {
            guard let value, !WireLimits.top.contains(value) else { continue }
            throw ValidationError("\(name) must be \(WireLimits.top.inWords)")
        }
    }

    func run() throws {
        try client.withClient { coordinator in
            let asked = try user + (users.map { try NamedLines.read($0, of: "user") } ?? [])
            let items = try named()
            let questions = asked.map { user in
                ClientRequest.query(
                    .init(user: user, items: items, top: top, explain: explain ? true : nil, limit: limit))
            }
            guard asked.count != 1 || users != nil else {
                var progress = ProgressLine()
                defer { progress.end() }
                let reply = try coordinator.call(questions[0], patience: .seconds(60)) {
                    progress.show(Self.progress($0), fraction: $0.of > 0 ? Double($0.done) / Double($0.of) : nil)
                }
                return try client.output.emit(json: reply.body) {
                    QueryText.of(try ReplyCoding.decode(QueryReply.self, from: reply.body))
                }
            }
            let answers = try answers(to: questions, of: asked, coordinator)
            try client.output.emit(QueryAnswers(answers: answers)) {
                answers.map { answer in "user \(answer.user)\n\(QueryText.of(answer))" }.joined(separator: "\n\n")
            }
            // Those that could be answered are printed; the status says that not all were.
            guard let error = answers.lazy.compactMap(\.error).first else { return }
            let failure = CommandFailure(error)
            Output.note("error: \(failure.message)")
            throw ExitCode(failure.status.rawValue)
        }
    }

    private func named() throws -> [String] {
        let read = try candidates.map { try NamedLines.read($0, of: "item") } ?? []
        guard candidates == nil || !read.isEmpty else {
            throw CommandFailure(.badInput, "\(candidates ?? "") names no candidates")
        }
        var seen: Set<String> = []
        // A file may name an item twice; whoever does on the command line means it.
        let items = item + read.filter { seen.insert($0).inserted }
        guard WireLimits.candidates.contains(items.count) else {
            throw CommandFailure(
                .badInput, "\(items.count) candidates are too many for one question: \(WireLimits.candidates.inWords)")
        }
        return items
    }

    private func answers(
        to questions: [ClientRequest], of users: [String], _ coordinator: CoordinatorClient
    ) throws -> [QueryAnswers.Answer] {
        var answers = users.map { QueryAnswers.Answer(user: $0) }
        var done = 0
        var progress = ProgressLine()
        defer { progress.end() }
        try coordinator.callAll(questions, patience: .seconds(60)) { _, _ in
            progress.show(
                "\(done) of \(users.count) users answered", fraction: Double(done) / Double(max(1, users.count)))
        } whenAnswered: { position, result in
            done += 1
            do {
                answers[position].reply = try ReplyCoding.decode(QueryReply.self, from: result.get().body)
            } catch {
                answers[position].error = error as? ClientError ?? ClientError(code: .failed, message: "\(error)")
            }
        }
        return answers
    }

    private static func progress(_ notice: WorkingNotice) -> String {
        if notice.of > 0 { return "\(notice.done) of \(notice.of) items computed" }
        return notice.ahead > 0 ? "waiting, beside \(notice.ahead) other questions" : "being collected"
    }
}
