import ClusterTestSupport
import Coordination
import Messages
import Testing

@Suite("What a worker asks for again")
struct AskedAgainTests {
    private let digests = (0..<5).map { "d\($0)" }

    /// Answers with prompts or adapters among the last actions.
    private func answers(_ fixture: CoordinatorFixture) -> Int {
        fixture.actions.count { action in
            switch action {
            case .dispatch(_, .prompts), .dispatch(_, .adapters): true
            default: false
            }
        }
    }

    private func ask(_ message: WorkerMessage, at peer: String, _ fixture: inout CoordinatorFixture) -> Int {
        fixture.feed(.worker(peer: fixture.peer(peer), message))
        return answers(fixture)
    }

    private func scoring() throws -> (CoordinatorFixture, TaskID) {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true, missingMargins: 8))
        fixture.hello("a", copies: [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: "a0")])
        fixture.feed(.missing(.margins(adapter: "a0"), .success(["v0", "v1"])))
        let task = fixture.actions.compactMap { action -> TaskID? in
            if case .dispatch(_, .score(let task, _, _, _, _)) = action { task } else { nil }
        }.first
        return (fixture, try #require(task))
    }

    @Test("Prompts are sent once, fewer again, and all of them anew after a reconnection")
    func prompts() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        let task = try #require(fixture.assignments.first?.task)
        let all = WorkerMessage.need(task: task, digests: digests)
        #expect(ask(all, at: "a", &fixture) == 1)
        for _ in 0..<20 { #expect(ask(all, at: "a", &fixture) == 0) }
        let rest = WorkerMessage.need(task: task, digests: Array(digests.dropFirst(2)))
        #expect(ask(rest, at: "a", &fixture) == 1)
        #expect(ask(rest, at: "a", &fixture) == 0 && ask(all, at: "a", &fixture) == 0)
        fixture.hello("a", peer: "again", work: [HeldTask(task: task)])
        #expect(ask(all, at: "again", &fixture) == 1)
        #expect(ask(all, at: "again", &fixture) == 0)
        #expect(ask(rest, at: "again", &fixture) == 1)
    }

    @Test("Whoever reconnects for ever is not sent the same for ever")
    func reconnecting() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        let task = try #require(fixture.assignments.first?.task)
        let all = WorkerMessage.need(task: task, digests: digests)
        #expect(ask(all, at: "a", &fixture) == 1)
        var answered = 0
        for round in 0..<100 {
            fixture.hello("a", peer: "again-\(round)", work: [HeldTask(task: task)])
            for _ in 0..<3 { answered += ask(all, at: "again-\(round)", &fixture) }
        }
        #expect(answered == CoordinatorLimits.askedAnew)
    }

    @Test("Adapters are sent once, and anew after a reconnection; one that is named twice is no question")
    func adapters() throws {
        var (fixture, task) = try scoring()
        let question = WorkerMessage.lacks(task: task, adapters: ["a0"])
        #expect(ask(question, at: "a", &fixture) == 1)
        for _ in 0..<20 { #expect(ask(question, at: "a", &fixture) == 0) }
        fixture.hello(
            "a", peer: "again", copies: [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: "a0")],
            work: [HeldTask(task: task)])
        #expect(ask(question, at: "again", &fixture) == 1)
        #expect(ask(question, at: "again", &fixture) == 0)
        (fixture, task) = try scoring()
        let twice = WorkerMessage.lacks(task: task, adapters: Array(repeating: "a0", count: 1000))
        #expect(ask(twice, at: "a", &fixture) == 0)
        #expect(ask(question, at: "a", &fixture) == 0)
    }

    @Test("An evaluation of many adapters over a slow connection goes on while fewer of them are missing")
    func slowly() throws {
        let shards = 300
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: shards, adapters: true))
        let copies = (0..<shards).map { ShardCopy(shard: $0, manifest: "m\($0)", prompts: 10, adapter: "a\($0)") }
        fixture.hello("a", copies: copies)
        fixture.ask(.evaluate(.init(split: .test, compare: false, aggregatesOnly: true)), id: "e")
        let split = LoadedSplit(digests: ["p", "q"], missingEmbeddings: [], looksAtQuery: false)
        fixture.feed(.splitLoaded(operation: "e", .success(split)))
        let found = fixture.actions.compactMap { action -> (TaskID, [String])? in
            guard case .dispatch(_, .score(let task, _, let adapters, _, _)) = action else { return nil }
            return adapters.count == shards ? (task, adapters.map(\.name)) : nil
        }
        let (task, names) = try #require(found.first)
        for missing in (1...10).reversed() {
            let lacking = Array(names.suffix(missing * 30))
            #expect(ask(.lacks(task: task, adapters: lacking), at: "a", &fixture) == 1)
            for _ in 0..<10 {
                fixture.feed(.alive(peer: fixture.peer("a")))
                fixture.wait(20_000, beating: ["a"])
                #expect(!fixture.messages(to: "a").contains(.cancel(task: task)), "\(missing)")
            }
        }
    }
}
