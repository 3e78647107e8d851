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
            With --item or a file of --candidates, P(like) of these items, each weighing the adapters for its own prompt. With \
            --top, the best of them, or of whatever in the catalogue the user has not rated yet: the adapters are weighed once, \
            for the user's history, so that all candidates share one model. The reply names the weights and the adapters.

            With --history instead of a user, the question brings ratings along: it is answered as for a user with these, and \
            they are kept nowhere.

            Every item costs a computation. Of a catalogue of more than \(WireLimits.ranked) items \
            \(WireLimits.usuallyChosen) candidates are chosen first: what is liked by people who like what the user likes, then what \
            most people like, and nothing by numbers of fewer than five people. The reply says how many came from where. \
            --candidates N chooses so many, --candidates all has the whole catalogue ranked, however long that takes; --limit N \
            ranks it if it is that small, and refuses otherwise.
            """)

    @Option(parsing: .upToNextOption, help: "The user, or several: they are answered together.")
    var user: [String] = []

    @Option(help: "A file with a user on each line; - for standard input.")
    var users: String?

    @Option(
        help: """
            Instead of a user: ITEM:RATING,… from the oldest to the newest, or a file with ITEM:RATING or ITEM:RATING:TIME on each \
            line; - for standard input.
            """)
    var history: String?

    @Option(parsing: .upToNextOption, help: "Items to ask about.")
    var item: [String] = []

    @Option(
        help: """
            A file with an item on each line; - for standard input. At most \(WireLimits.candidates.upperBound). Or, with --top, a \
            number N: so many are chosen of the catalogue; or all: the whole catalogue. (A file of such a name: ./200.)
            """)
    var candidates: String?

    @Option(parsing: .upToNextOption, help: "Items that are not answered.")
    var exclude: [String] = []

    @Option(
        name: .customLong("where"),
        help: """
            Only items whose field is this text, FIELD=TEXT, or a number in a range, FIELD=MIN..MAX, of which one may be left out: \
            fields that the template shows. May be repeated.
            """)
    var conditions: [String] = []

    @Option(help: "Rank them, or else the catalogue, and return the best N, \(WireLimits.top.inWords).")
    var top: Int?

    @Option(
        help:
            "Rank the whole catalogue if it has at most N items that the user has not rated.")
    var limit: Int?

    @Flag(help: "Say what each item's weights rest on: neighbours among the validation prompts, and errors on them.")
    var explain = false

    @OptionGroup var client: ClientOptions

    func validate() throws {
        let choice = try candidates.map(CandidateArgument.init)
        let namesItems = !item.isEmpty || choice?.file != nil
        guard !user.isEmpty || users != nil || history != nil else {
            throw ValidationError("name a --user, a file of --users or a --history")
        }
        guard history == nil || (user.isEmpty && users == nil) else {
            throw ValidationError("--history takes the place of --user and --users")
        }
        guard namesItems || top != nil else {
            throw ValidationError(
                choice == nil
                    ? "name --item, --candidates or --top" : "say with --top how many of the candidates to return")
        }
        guard choice == nil || choice?.file != nil || item.isEmpty else {
            throw ValidationError(
                "--candidates \(candidates ?? "") chooses from the catalogue; here the items are named")
        }
        guard limit == nil || !namesItems else {
            throw ValidationError("--limit bounds a ranking of the catalogue; here the items are named")
        }
        guard limit == nil || choice != .all else {
            throw ValidationError("--candidates all has no limit: leave --limit out")
        }
        guard [users, candidates, history].count(where: { $0 == "-" }) <= 1 else {
            throw ValidationError("only one of --users, --candidates and --history can be standard input")
        }
        for (name, value) in [("--top", top), ("--limit", limit)] {
            guard let value, !WireLimits.top.contains(value) else { continue }
            throw ValidationError("\(name) must be \(WireLimits.top.inWords)")
        }
    }

    func run() throws {
        try client.withClient { coordinator in
            let given = try history.map(GivenHistory.read)
            let people = try user + (users.map { try NamedLines.read($0, of: "user") } ?? [])
            let asked = given == nil ? people : [""]
            let choice = try candidates.map(CandidateArgument.init)
            let items = try named(choice?.file)
            let bounds = items.isEmpty ? ranking(choice).bounds(top: top ?? 0) : (limit: nil, candidates: nil)
            let filter = try FilterArguments.read(exclude: exclude, conditions: conditions)
            let questions = try asked.map { user in
                let query = ClientRequest.QueryRequest(
                    user: user, items: items, top: top, explain: explain ? true : nil, limit: bounds.limit,
                    history: given, filter: filter, candidates: bounds.candidates)
                if let objection = query.objection { throw CommandFailure(.usage, objection) }
                return ClientRequest.query(query)
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

    private func ranking(_ choice: CandidateArgument?) -> CatalogueRanking {
        switch choice {
        case .chosen(let count): .chosen(count, limit: limit)
        case .all: .whole(atMost: WireLimits.top.upperBound)
        case .file, nil: limit.map { .whole(atMost: $0) } ?? .usual
        }
    }

    private func named(_ file: String?) throws -> [String] {
        let read = try file.map { try NamedLines.read($0, of: "item") } ?? []
        guard file == nil || !read.isEmpty else {
            throw CommandFailure(.badInput, "\(file ?? "") names no candidates")
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
