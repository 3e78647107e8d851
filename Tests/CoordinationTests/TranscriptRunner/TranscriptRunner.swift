import ClusterTestSupport
import Coordination
import LanguageModels
import Messages
import Recommendation
import Unlearning

/// A coordinator, the ledger and the service behind it, and what was said since the last step.
///
/// Everything happens at once except time, workers and, if told so, the ledger: those do what the transcript says.
struct TranscriptRunner {
    struct Given {
        var worker: String
        var task: Dispatch
    }

    static let base = "smollm"
    static let arithmetic = "usual"
    static let specification = TrainingSpecification(base: base, precision: .f32)

    let file: String
    /// Before the start.
    var people: [(shard: Int, people: [(name: String, prompts: Int)])] = []
    var partitionWaits = false
    var doubleCheck = DoubleCheckRule.one

    var ledger = TranscriptLedger(shards: 0, partitionWaits: false)
    var coordinator: Coordinator?
    var milliseconds: Int64 = 0
    var lines: [String] = []
    /// Commands that the ledger has not looked at, oldest first; nil: it commits at once.
    var waiting: [(id: LedgerCommandID, command: LedgerCommand)]?
    /// Connections of workers that are there, by name.
    var peers: [String: PeerID] = [:]
    /// Worker of every connection that there was.
    var names: [PeerID: String] = [:]
    /// Tasks that workers have not answered.
    var given: [TaskID: Given] = [:]
    var lastTask: TaskID = 0
    /// What answered last.
    var answering: [String]?
    /// Whom a client last asked to forget, by request.
    var asked: [String: [String]] = [:]
    /// People whose forgetting was acknowledged.
    var acknowledged: [String] = []

    init(file: String) {
        self.file = file
    }

    /// - Returns: what is said, at least one line.
    mutating func run(_ step: TranscriptFile.Step) throws -> [String] {
        lines = []
        for line in step.commands {
            let command = try TranscriptCommand.parse(line, in: file)
            do throws(TranscriptObjection) {
                try perform(command)
            } catch {
                throw TranscriptError(file: file, line: line.number, message: "\(line.text): \(error.message)")
            }
        }
        return lines.isEmpty ? ["(nothing)"] : lines
    }

    // MARK: the coordinator

    mutating func start(isTrained: Bool) throws(TranscriptObjection) {
        let shards = (people.map(\.shard).max() ?? 0) + 1
        ledger = TranscriptLedger(shards: shards, partitionWaits: partitionWaits)
        for (shard, people) in people { ledger.add(people, to: shard) }
        if isTrained { ledger.train() }
        lines += (0..<shards).map { shard in
            let manifest = ledger.manifest(of: shard)
            let members = ledger.contents[manifest]
            return "shard \(shard): manifest \(manifest), \(members?.prompts ?? 0) prompts"
                + (ledger.adapters[shard].map { ", adapter \($0.name)" } ?? ", no adapter")
        }
        try startCoordinator()
    }

    mutating func startCoordinator() throws(TranscriptObjection) {
        let configuration = ClusterConfiguration(
            training: Self.specification, embedding: EmbeddingSource(layer: 1, pooling: .last),
            shards: ledger.shardCount,
            partition: ledger.partitionWaits ? .user : .userHash)
        let settings = CoordinatorSettings(
            cluster: "test", configuration: configuration, embeddingWidth: 1,
            mixtures: [.init(rule: .nonDecomposed, attention: .prompt)], chunk: 4, firstTask: lastTask + 1,
            doubleCheck: doubleCheck)
        coordinator = Coordinator(
            settings: settings, snapshot: ledger.snapshot, copies: ledger.copies, workers: ledger.workers,
            words: ledger.words, at: CoordinatorInstant(milliseconds: milliseconds))
        given = [:]
        peers = [:]
        answering = nil
        if waiting != nil { waiting = [] }
        try feed(.tick)
    }

    mutating func feed(_ event: CoordinatorEvent) throws(TranscriptObjection) {
        var events = [event]
        while !events.isEmpty {
            guard let actions = coordinator?.handle(events.removeFirst(), at: .init(milliseconds: milliseconds)) else {
                throw TranscriptObjection("the cluster has not started")
            }
            try noteAnswering()
            for action in actions {
                lines += sentences.lines(action)
                events += perform(action)
                if case .reply(let ticket, .forgetAccepted) = action { try acknowledge(ticket.request) }
                try noteAnswering()
            }
        }
    }

    private var sentences: ActionSentences {
        let (contents, names) = (ledger.contents, names)
        return ActionSentences(prompts: { contents[$0]?.prompts ?? 0 }, worker: { names[$0] ?? "nobody" })
    }

    // MARK: who answers

    /// Tells when other adapters answer queries, and that none of them saw anybody whose forgetting was acknowledged.
    private mutating func noteAnswering() throws(TranscriptObjection) {
        guard let coordinator else { return }
        let names = coordinator.activeAdapters.map { $0.name + ($0.carriesWeight ? "" : " (not weighed yet)") }
        if names != answering {
            answering = names
            lines.append("who answers: " + (names.isEmpty ? "no adapter" : names.list))
        }
        for adapter in coordinator.snapshot.shards.compactMap(\.adapter) {
            let seen = ledger.contents[adapter.manifest]?.people ?? []
            if let person = seen.first(where: acknowledged.contains) {
                throw TranscriptObjection("adapter \(adapter.name) answers, and saw \(person), who is forgotten")
            }
        }
    }

    /// Whoever asked believes that this is done.
    private mutating func acknowledge(_ request: String) throws(TranscriptObjection) {
        acknowledged += asked[request] ?? []
        if let person = ledger.people.map(\.name).first(where: acknowledged.contains) {
            throw TranscriptObjection("request \(request) is acknowledged, and the ledger still has \(person)")
        }
    }
}

/// Why a command makes no sense here.
struct TranscriptObjection: Error {
    var message: String

    init(_ message: String) {
        self.message = message
    }
}
