import Client
import ClusterTestSupport
import Coordination
import Foundation
import Ledger
import Messages
import Recommendation
import Service
import Testing
import Unlearning
import Worker

@Suite("Edge values in every number of every message")
struct WireEdgeNumberTests {
    @Test("The generator reaches nested numbers, and leaves strings alone")
    func generator() {
        let made = EdgeNumbers.replacements(in: Array(#"{"a":[1,{"b":-2.5e3}],"c":"7 \" 8"}"#.utf8))
        #expect(made.count == 2 * EdgeNumbers.values.count)
        #expect(made.contains(Array(#"{"a":[0,{"b":-2.5e3}],"c":"7 \" 8"}"#.utf8)))
        #expect(made.contains(Array(#"{"a":[1,{"b":-1}],"c":"7 \" 8"}"#.utf8)))
    }

    /// A moment of a coordinator in which a worker "w" has a task.
    struct Moment {
        var name: String
        var fixture: CoordinatorFixture
        var task: TaskID
    }

    private static let copies = (0..<2).map {
        ShardCopy(shard: $0, manifest: "m\($0)", prompts: 10, adapter: "a\($0)")
    }

    private static func moment(_ name: String, _ fixture: CoordinatorFixture) throws -> Moment {
        let task = fixture.actions.compactMap { action -> TaskID? in
            if case .dispatch(_, let dispatch) = action { dispatch.task } else { nil }
        }.first
        return Moment(name: name, fixture: fixture, task: try #require(task, "\(name): no task"))
    }

    static func moments() throws -> [Moment] {
        var training = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 2))
        training.hello("w")
        var scoring = CoordinatorFixture(
            CoordinatorFixture.snapshot(shards: 2, adapters: true, missingMargins: 8))
        scoring.hello("w", copies: copies)
        scoring.feed(.missing(.margins(adapter: "a0"), .success(["d0", "d1"])))
        var snapshot = CoordinatorFixture.snapshot(shards: 2, adapters: true)
        snapshot.missingEmbeddings = 2
        var embedding = CoordinatorFixture(snapshot)
        embedding.hello("w", copies: copies)
        embedding.feed(.missing(.embeddings, .success(["d0", "d1"])))
        func ready(_ request: ClientRequest) -> CoordinatorFixture {
            var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 2, adapters: true))
            fixture.hello("w", copies: copies)
            fixture.ask(request, id: "o")
            return fixture
        }
        var evaluating = ready(.evaluate(.init(split: .test, compare: true)))
        var attending = evaluating
        for looksAtQuery in [false, true] {
            let split = LoadedSplit(
                digests: ["p", "q"], missingEmbeddings: looksAtQuery ? ["q"] : [], looksAtQuery: looksAtQuery)
            if looksAtQuery {
                attending.feed(.splitLoaded(operation: "o", .success(split)))
            } else {
                evaluating.feed(.splitLoaded(operation: "o", .success(split)))
            }
        }
        let replaying = ready(.verify(.init(request: nil)))
        var comparing = ready(.compare(.quick))
        comparing.feed(
            .comparisonLoaded(operation: "o", .success(LoadedComparison(cases: PlannedCase.samples(2), basis: "basis")))
        )
        return try [
            moment("training", training), moment("reference rows", scoring), moment("embeddings", embedding),
            moment("evaluation", evaluating), moment("attention", attending), moment("replay", replaying),
            moment("comparison", comparing),
        ]
    }

    /// Answers to the task, as far as kinds go right ones.
    private func answers(to task: TaskID) -> [WorkerMessage] {
        let report = TrainingReport(
            adapter: "a", manifest: "m0", prompts: 10, specification: CoordinatorFixture.specification, steps: 1,
            tokens: 2, seconds: 0.5, computeSeconds: 0.25, epochLosses: [0.5])
        var corrected = report
        corrected.correction = WireSamples.correction
        var replayed = report
        replayed.manifest = "all"
        return [
            .trained(task: task, report, adapter: [1]), .trained(task: task, corrected, adapter: [1]),
            .trained(task: task, replayed, adapter: [1]),
            .need(task: task, digests: ["d"]),
            .progress(
                WorkerMessage.TaskProgress(
                    task: task, step: 2, steps: 3, loss: 0.5, tokensPerSecond: 10, secondsRemaining: 20)),
            .scored(task: task, tokens: 9, seconds: 0.5, margins: [0.5, 1]),
            .embedded(task: task, tokens: 9, seconds: 0.5, values: [1, 2, 3, 4]),
            .embedded(task: task, tokens: 9, seconds: 0.5, values: [1, 2]),
            .prepared(task: task, shard: 0, adapter: "a0", seconds: 0.5), .released(shard: 0),
            .holds(Self.copies[0]), .failed(task: task, code: .diskFull, message: "no room"),
            .goodbye(deleted: [0, 1]),
            .hello(
                WorkerMessage.Hello(
                    worker: "w", name: "w", protocolVersion: CoordinatorLimits.protocolVersion, base: "base",
                    precision: .f32, arithmetic: "x", threads: 2, copies: Self.copies)),
        ]
    }

    /// Hands the frames in as the shell does, several times (sums!), and asks for everything that shows numbers.
    private func survive(_ frames: [[UInt8]], in moment: Moment) throws {
        guard let message = try? PeerMessage(frames: frames) else { return }
        var fixture = moment.fixture
        for _ in 0..<3 {
            switch message {
            case .worker(let message): fixture.say(message, by: "w")
            case .request(let id, let request): fixture.ask(request, id: id)
            }
            fixture.feed(.tick)
        }
        // A status that cannot be written is a failure, too.
        _ = try ReplyCoding.encode(fixture.status)
        fixture.ask(.operation(id: "o"), id: "poll")
        fixture.wait(500, beating: ["w"])
    }

    @Test("Nothing that a worker says traps the coordinator or spoils its status", arguments: 0..<7)
    func workers(_ index: Int) throws {
        let moment = try Self.moments()[index]
        for message in answers(to: moment.task) {
            for frames in try EdgeNumbers.variants(of: message.frames()) { try survive(frames, in: moment) }
        }
    }

    @Test("Nothing in a comparison's report traps the coordinator")
    func comparisons() throws {
        let moment = try #require(Self.moments().last)
        let report = ComparisonReport(
            cases: Array(ComparisonReport.sample.cases.prefix(1)), rows: Array(ComparisonReport.sample.rows.prefix(1)),
            sequences: Array(ComparisonReport.sample.sequences.prefix(1)),
            attention: Array(ComparisonReport.sample.attention.prefix(1)),
            paired: ComparisonReport.sample.paired.map { Array($0.prefix(1)) },
            parts: ComparisonReport.sample.parts.map { Array($0.prefix(1)) })
        for frames in try EdgeNumbers.variants(of: WorkerMessage.compared(task: moment.task, report).frames()) {
            try survive(frames, in: moment)
        }
    }

    @Test("Nothing that a client asks traps the coordinator", arguments: WireSamples.requests.indices)
    func clients(_ index: Int) throws {
        let moment = try #require(Self.moments().first { $0.name == "evaluation" })
        for frames in try EdgeNumbers.variants(of: WireSamples.requests[index].frames(id: "r")) {
            try survive(frames, in: moment)
        }
    }

    @Test("Nothing that a coordinator says traps a worker", arguments: WireSamples.coordinator.indices)
    func coordinators(_ index: Int) throws {
        for frames in try EdgeNumbers.variants(of: WireSamples.coordinator[index].frames()) {
            guard let message = try? CoordinatorMessage(frames: frames) else { continue }
            var driver = WorkerLogicDriver(copies: [.init(shard: 2, manifest: "m", prompts: 1, adapter: nil)])
            driver.say(message)
            driver.say(.cancel(task: 1))
            driver.say(message)
        }
    }

    @Test("A worker's tokens are bounded where they arrive, and their sums cannot overflow")
    func tokens() throws {
        for tokens in [-1, Int.max, .min, WireLimits.tokens.upperBound + 1] {
            let frames = try WorkerMessage.scored(task: 1, tokens: tokens, seconds: 1, margins: [1]).frames()
            #expect(throws: WireError.self) { try WorkerMessage(frames: frames) }
        }
        #expect([Int.max, Int.max].saturatedSum == Int.max)
        #expect([Int.min, -1].saturatedSum == Int.min)
        #expect(Int(saturating: 1e300) == Int.max && Int(saturating: .nan) == 0)
        let much = PhaseCost(scoredTokens: .max, trainedTokens: .max, steps: .max)
        #expect((much + much).trainedTokens == .max)
    }

    @Test("An embedding of another width than the model's is refused, charged to its worker, and asked for again")
    func width() throws {
        for name in ["embeddings", "attention"] {
            let moment = try #require(Self.moments().first { $0.name == name })
            var fixture = moment.fixture
            fixture.say(.embedded(task: moment.task, tokens: 1, seconds: 1, values: [1, 2, 3, 4, 5, 6]), by: "w")
            let isCharged = fixture.actions.contains { action in
                if case .log(let line) = action { line.message.contains("worker w, bad-report") } else { false }
            }
            let isGivenAgain = fixture.actions.contains { action in
                if case .dispatch(_, .embed) = action { true } else { false }
            }
            #expect(isCharged, "\(name)")
            // A part of an evaluation is put back, and given out when the worker's other tasks are done.
            #expect(isGivenAgain || name == "attention")
            #expect(!fixture.commands.contains { if case .saveEmbeddings = $0.command { true } else { false } })
        }
    }
}
