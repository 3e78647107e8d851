import ClusterTestSupport
import Coordination
import Messages
import Testing
import Unlearning

@Suite("Verification of single slices")
struct StageVerificationTests {
    private static let training = {
        var training = CoordinatorFixture.specification
        training.slices = 4
        return training
    }()

    /// As a worker reports them: slice 2 has no prompts.
    private static let stages = [
        StageReport(slice: 1, name: "s1", digest: "d1", bytes: 1),
        StageReport(slice: 3, name: "s3", digest: "d3", bytes: 1),
        StageReport(slice: 4, name: "a0", digest: "a0", bytes: 1),
    ]

    private func recorded(_ stages: [StageReport] = Self.stages) -> [Int: [RecordedStage]] {
        [0: stages.map { RecordedStage(report: $0, worker: "a") }]
    }

    /// Worker "a" trained the shard and has its stages; "b" has nothing.
    private func started(_ names: [String]? = ["s1", "s3"], others: [String] = ["b"]) -> CoordinatorFixture {
        var fixture = CoordinatorFixture(
            CoordinatorFixture.snapshot(shards: 1, adapters: true), doubleCheck: .share(0), training: Self.training)
        fixture.hello("a", copies: [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: "a0", stages: names)])
        for other in others { fixture.hello(other) }
        return fixture
    }

    private func ask(_ stages: ClientRequest.StageChoice, _ fixture: inout CoordinatorFixture, id: String = "v") {
        fixture.ask(.verify(.init(request: nil, stages: stages)), id: id)
    }

    private func asksForRecord(_ fixture: CoordinatorFixture) -> Bool {
        fixture.actions.contains { if case .loadStages("v") = $0 { true } else { false } }
    }

    private func replays(
        _ fixture: CoordinatorFixture
    ) -> [(worker: String, task: TaskID, slice: Int, before: HandedStage?)] {
        fixture.actions.compactMap { action in
            guard case .dispatch(let peer, .replayStage(let task, _, 0, "m0", let slice, let before)) = action else {
                return nil
            }
            return (String(decoding: peer.bytes, as: UTF8.self), task, slice, before)
        }
    }

    private func asked(_ fixture: CoordinatorFixture) -> (worker: String, task: TaskID, name: String?)? {
        for case .dispatch(let peer, .hand(let task, 0, "m0", _, let name, _)) in fixture.actions {
            return (String(decoding: peer.bytes, as: UTF8.self), task, name)
        }
        return nil
    }

    private func answer(_ task: TaskID, slice: Int, from: Int, digest: String? = nil, adapter: String = "x")
        -> WorkerMessage
    {
        var made = Self.stages
        for index in made.indices where made[index].slice != slice { made[index].digest = nil }
        if let digest { for index in made.indices where made[index].slice == slice { made[index].digest = digest } }
        return .trained(
            task: task,
            TrainingReport(
                adapter: adapter, manifest: "slices", prompts: 5, specification: Self.training, steps: 1, tokens: 9,
                seconds: 2, computeSeconds: 1, epochLosses: [],
                slices: SlicesReport(count: 4, first: from, tokens: 4, stage: slice < 4 ? slice : nil, stages: made)),
            adapter: [1])
    }

    private func report(_ fixture: inout CoordinatorFixture) -> VerificationReport? {
        fixture.ask(.operation(id: "v"), id: "v")
        for case .operation(_, .verification(let report)?) in fixture.replies { return report }
        return nil
    }

    private func error(_ fixture: inout CoordinatorFixture) -> ErrorCode? {
        fixture.ask(.operation(id: "v"), id: "v")
        for case .operation(let report, _) in fixture.replies { return report.error?.code }
        return fixture.errors.first?.code
    }

    @Test("A slice is trained by another worker than made it, from the stage before it, and compared with the record")
    func replayed() throws {
        for digest in [nil, "other"] {
            var fixture = started()
            ask(.named([.init(shard: 0, slice: 3)]), &fixture)
            #expect(asksForRecord(fixture))
            fixture.feed(.stages(operation: "v", .success(recorded())))
            let hand = try #require(asked(fixture))
            #expect(hand.worker == "a" && hand.name == "s1" && replays(fixture).isEmpty)
            fixture.say(.handed(task: hand.task, HandedStage(name: "s1", digest: "whatever", bytes: [7])), by: "a")
            let replay = try #require(replays(fixture).first)
            #expect(replay.worker == "b" && replay.slice == 3)
            // What is on record decides, not what the worker says.
            #expect(replay.before == HandedStage(name: "s1", digest: "d1", bytes: [7]))
            fixture.say(answer(replay.task, slice: 3, from: 2, digest: digest), by: "b")
            let found = try #require(report(&fixture))
            let stage = try #require(found.stages?.first)
            #expect(found.stages?.count == 1 && found.shards.isEmpty && found.allMatch == (digest == nil))
            #expect(stage.match == (digest == nil) && stage.recorded == "d3" && stage.replayed == digest ?? "d3")
            #expect(stage.from == 1 && stage.slices == 4 && stage.worker == "b" && stage.trainer == "a")
            #expect(stage.tokens == 4 && stage.asked == nil && stage.name == "s3")
        }
    }

    @Test("The first slice is trained from the start; the last one gives the adapter")
    func ends() throws {
        var fixture = started()
        ask(.named([.init(shard: 0, slice: 1)]), &fixture)
        fixture.feed(.stages(operation: "v", .success(recorded())))
        let first = try #require(replays(fixture).first)
        #expect(first.before == nil && first.slice == 1 && asked(fixture) == nil)
        fixture.say(answer(first.task, slice: 1, from: 1), by: "b")
        #expect(report(&fixture)?.allMatch == true)

        for adapter in ["a0", "other"] {
            fixture = started()
            ask(.named([.init(shard: 0, slice: 4)]), &fixture)
            fixture.feed(.stages(operation: "v", .success(recorded())))
            let hand = try #require(asked(fixture))
            #expect(hand.name == "s3")
            fixture.say(.handed(task: hand.task, HandedStage(name: "s3", digest: "d3", bytes: [7])), by: "a")
            let last = try #require(replays(fixture).first)
            fixture.say(answer(last.task, slice: 4, from: 4, digest: adapter, adapter: adapter), by: "b")
            #expect(report(&fixture)?.allMatch == (adapter == "a0"))
        }
    }

    @Test("A slice without prompts is the one before it, once")
    func empty() throws {
        var fixture = started()
        ask(.named([.init(shard: 0, slice: 2), .init(shard: 0, slice: 1)]), &fixture)
        fixture.feed(.stages(operation: "v", .success(recorded())))
        let replay = try #require(replays(fixture).first)
        fixture.say(answer(replay.task, slice: 1, from: 1), by: "b")
        let found = try #require(report(&fixture)?.stages)
        #expect(found.map(\.slice) == [1] && found.map(\.asked) == [2])

        fixture = started()
        ask(.named([.init(shard: 0, slice: 2)]), &fixture)
        fixture.feed(.stages(operation: "v", .success(recorded(Array(Self.stages.dropFirst())))))
        let nothing = try #require(report(&fixture))
        #expect(nothing.stages?.map(\.missing) == ["slices 1 to 2 have no prompts: nothing is to be replayed"])
        #expect(nothing.stages?.map(\.slice) == [2] && !nothing.allMatch)
    }

    @Test("Of named slices one that is not on record, or has no prompts, is said to be so, and the others are replayed")
    func others() throws {
        // Slice 1 has no prompts either, and what there was after slice 3 is not on record: nor can slice 4 be replayed.
        let stages = [
            StageReport(slice: 2, name: "s2", digest: "d2", bytes: 1), StageReport(slice: 3, name: "s3"),
            StageReport(slice: 4, name: "a0", digest: "a0", bytes: 1),
        ]
        var fixture = started()
        ask(.named([1, 2, 3, 4].map { .init(shard: 0, slice: $0) }), &fixture)
        fixture.feed(.stages(operation: "v", .success(recorded(stages))))
        let replay = try #require(replays(fixture).first)
        #expect(replays(fixture).map(\.slice) == [2] && asked(fixture) == nil)
        var made = answer(replay.task, slice: 2, from: 1)
        if case .trained(let task, var training, let adapter) = made {
            training.slices?.stages = [StageReport(slice: 2, name: "s2", digest: "d2", bytes: 1)]
            made = .trained(task: task, training, adapter: adapter)
        }
        fixture.say(made, by: replay.worker)
        let found = try #require(report(&fixture))
        #expect(found.stages?.map(\.slice) == [1, 2, 3, 4] && !found.allMatch)
        #expect(found.stages?.map(\.match) == [false, true, false, false])
        #expect(found.stages?.map { $0.missing == nil } == [false, true, false, false])
        let reply = VerifyReply(
            report: found, audit: AuditVerdict(entries: 1, finding: nil), hasCertificate: false, findings: [],
            damaged: [])
        #expect(!reply.verified && reply.findings.count == 3)
        for (finding, slice) in zip(reply.findings, [1, 3, 4]) {
            #expect(finding.hasPrefix("shard 0, slice \(slice): "), "\(finding)")
        }
    }

    @Test("Slices are worked off by all workers at once, and drawn ones are those of the seed")
    func spread() {
        func drawn(_ count: Int, seed: UInt64) -> [String] {
            var fixture = started(others: ["b", "c", "d"])
            ask(.drawn(count, seed: seed), &fixture)
            fixture.feed(.stages(operation: "v", .success(recorded())))
            let first = replays(fixture).map { "start \($0.slice)" }
            var names: [String] = []
            while let hand = asked(fixture) {
                names.append(hand.name ?? "")
                fixture.say(
                    .handed(task: hand.task, HandedStage(name: hand.name ?? "", digest: "", bytes: [])), by: "a")
            }
            return (first + names).sorted()
        }
        #expect(drawn(3, seed: 1) == ["s1", "s3", "start 1"])
        #expect(drawn(9, seed: 2) == ["s1", "s3", "start 1"])
        let singles = (0..<32).map { drawn(1, seed: $0) }
        #expect(Set(singles).count == 3 && singles.allSatisfy { $0.count == 1 })
        #expect(drawn(1, seed: 5) == singles[5])
    }

    @Test("What could not be drawn is named, and nothing is verified where that is all that there is of a shard")
    func unrecorded() throws {
        typealias Unrecorded = VerificationReport.Unrecorded
        // Of shard 0 the first slice alone can be drawn: the next one is not on record, and what it left is the last one's start.
        var partial = Self.stages
        partial[1].digest = nil
        let nameless = Self.stages.map { StageReport(slice: $0.slice, name: $0.name, digest: nil, bytes: nil) }
        let first = Unrecorded(shard: 0, slices: [3, 4], drawable: 1)
        for (second, expected, finding) in [
            (nil, Unrecorded(shard: 1, slices: [], drawable: 0), "nothing is on record of its stages"),
            (nameless, Unrecorded(shard: 1, slices: [1, 3, 4], drawable: 0), "none of its slices could be drawn"),
        ] {
            var fixture = CoordinatorFixture(
                CoordinatorFixture.snapshot(shards: 2, adapters: true), doubleCheck: .share(0), training: Self.training)
            for (shard, worker) in ["a", "b"].enumerated() {
                fixture.hello(
                    worker, copies: [ShardCopy(shard: shard, manifest: "m\(shard)", prompts: 10, adapter: "a\(shard)")])
            }
            fixture.hello("c")
            ask(.drawn(9, seed: 1), &fixture)
            var record = recorded(partial)
            record[1] = second?.map { RecordedStage(report: $0, worker: "b") }
            fixture.feed(.stages(operation: "v", .success(record)))
            let replay = try #require(replays(fixture).first)
            fixture.say(answer(replay.task, slice: 1, from: 1), by: replay.worker)
            let found = try #require(report(&fixture))
            #expect(found.unrecorded == [first, expected] && found.stages?.map(\.match) == [true] && !found.allMatch)
            let reply = VerifyReply(
                report: found, audit: AuditVerdict(entries: 1, finding: nil), hasCertificate: false, findings: [],
                damaged: [])
            #expect(!reply.verified && reply.unrecorded == found.unrecorded && reply.findings.count == 1)
            #expect(reply.findings.first?.hasPrefix("shard 1: \(finding)") == true)
        }
        // What was drawn from is verified, and what not is said.
        var fixture = started()
        ask(.drawn(9, seed: 1), &fixture)
        fixture.feed(.stages(operation: "v", .success(recorded(partial))))
        let replay = try #require(replays(fixture).first)
        fixture.say(answer(replay.task, slice: 1, from: 1), by: replay.worker)
        let found = try #require(report(&fixture))
        #expect(found.unrecorded == [first] && found.allMatch)
        #expect(found.unrecorded?.first?.text.hasPrefix("shard 0: not drawn from slices 3, 4, as") == true)
        // Whoever has all on record reads nothing of it.
        fixture = started()
        ask(.named([.init(shard: 0, slice: 1)]), &fixture)
        fixture.feed(.stages(operation: "v", .success(recorded(partial))))
        let named = try #require(replays(fixture).first)
        fixture.say(answer(named.task, slice: 1, from: 1), by: named.worker)
        #expect(report(&fixture)?.unrecorded == nil)
    }

    @Test("What cannot be: no slices, no such slice, nothing on record")
    func refused() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true))
        ask(.drawn(1, seed: 1), &fixture)
        #expect(fixture.errors.map(\.code) == [.noSlices])
        fixture = started()
        for (shard, slice) in [(1, 1), (0, 0), (0, 5), (.max, 1)] {
            ask(.named([.init(shard: shard, slice: slice)]), &fixture)
            #expect(fixture.errors.map(\.code) == [.noSuchStage])
        }
        fixture.ask(.verify(.init(request: "r", stages: .drawn(1, seed: 1))), id: "v")
        #expect(fixture.errors.map(\.code) == [.invalidRequest])
        var nameless = Self.stages
        nameless[0].digest = nil
        for choice in [
            ClientRequest.StageChoice.named([.init(shard: 0, slice: 1)]), .named([.init(shard: 0, slice: 3)]),
        ] {
            fixture = started()
            ask(choice, &fixture)
            fixture.feed(.stages(operation: "v", .success(recorded(nameless))))
            let stage = try #require(report(&fixture)?.stages?.first)
            #expect(stage.missing?.contains("is not on record") == true && !stage.match)
        }
        for choice in [ClientRequest.StageChoice.drawn(2, seed: 1), .named([.init(shard: 0, slice: 3)])] {
            fixture = started()
            ask(choice, &fixture)
            fixture.feed(.stages(operation: "v", .success([:])))
            if case .drawn = choice {
                #expect(error(&fixture) == .unknownStage)
            } else {
                let stage = try #require(report(&fixture)?.stages?.first)
                #expect(stage.missing?.contains("is not on record") == true && stage.slice == 3 && stage.name.isEmpty)
            }
        }
    }

    @Test("Nobody has what it is trained from, or something else: that is said, and nothing is verified")
    func missing() throws {
        var fixture = started(nil)
        ask(.named([.init(shard: 0, slice: 3)]), &fixture)
        fixture.feed(.stages(operation: "v", .success(recorded())))
        fixture.wait(250, beating: ["a", "b"])
        var found = try #require(report(&fixture))
        #expect(found.stages?.first?.missing?.contains("no worker that is here") == true && !found.allMatch)

        fixture = started()
        ask(.named([.init(shard: 0, slice: 3)]), &fixture)
        fixture.feed(.stages(operation: "v", .success(recorded())))
        let hand = try #require(asked(fixture))
        fixture.say(.handed(task: hand.task, HandedStage(name: "s1", digest: "d1", bytes: [7])), by: "a")
        let replay = try #require(replays(fixture).first)
        fixture.say(.failed(task: replay.task, code: .stageDiffers, message: ""), by: "b")
        fixture.wait(250, beating: ["a", "b"])
        found = try #require(report(&fixture))
        #expect(found.stages?.first?.missing?.contains("another one than on record") == true && !found.allMatch)
    }

    @Test("One worker's stage is not the one on record: the next worker's is taken, and each is asked once")
    func elsewhere() throws {
        for isSecondRight in [true, false] {
            var fixture = started(others: ["b"])
            fixture.hello("c", copies: [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: nil, stages: ["s1"])])
            ask(.named([.init(shard: 0, slice: 3)]), &fixture)
            fixture.feed(.stages(operation: "v", .success(recorded())))
            var holders: [String] = []
            for isRight in [false, isSecondRight] {
                let hand = try #require(asked(fixture))
                holders.append(hand.worker)
                fixture.say(.handed(task: hand.task, HandedStage(name: "s1", digest: "", bytes: [7])), by: hand.worker)
                let replay = try #require(replays(fixture).first)
                fixture.say(
                    isRight
                        ? answer(replay.task, slice: 3, from: 2)
                        : .failed(task: replay.task, code: .stageDiffers, message: ""), by: replay.worker)
            }
            #expect(Set(holders) == ["a", "c"])
            fixture.wait(250, beating: ["a", "b", "c"])
            let found = try #require(report(&fixture))
            #expect(found.allMatch == isSecondRight)
            #expect((found.stages?.first?.missing == nil) == isSecondRight)
        }
    }

    @Test("A shard that changes before its slice was replayed is reported as changed")
    func changed() throws {
        var fixture = started()
        ask(.named([.init(shard: 0, slice: 1)]), &fixture)
        fixture.feed(.stages(operation: "v", .success(recorded())))
        let replay = try #require(replays(fixture).first)
        var after = fixture.coordinator.snapshot
        after.shards[0].manifest = "m0-after"
        after.shards[0].adapter = nil
        fixture.feed(.ledgerChanged(after))
        #expect(fixture.messages(to: "b").contains(.cancel(task: replay.task)))
        let found = try #require(report(&fixture))
        #expect(found.changed.map(\.shard) == [0] && found.stages == [] && !found.allMatch)
    }

    @Test("Workers of the version before are not asked; that is said while it waits")
    func older() {
        var fixture = CoordinatorFixture(
            CoordinatorFixture.snapshot(shards: 1, adapters: true), doubleCheck: .share(0), training: Self.training)
        fixture.hello("a", version: 10) { ($0.trainsSlices, $0.averages) = (true, true) }
        ask(.named([.init(shard: 0, slice: 1)]), &fixture)
        fixture.feed(.stages(operation: "v", .success(recorded())))
        #expect(replays(fixture).isEmpty)
        #expect(fixture.status.operations.first?.progress.contains("waits for a worker") == true)
        fixture.hello("b")
        #expect(replays(fixture).map(\.worker) == ["b"])
    }
}
