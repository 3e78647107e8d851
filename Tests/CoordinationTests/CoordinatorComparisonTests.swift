import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Recommendation
import Testing
import Unlearning

@Suite("The coordinator and comparisons of methods")
struct CoordinatorComparisonTests {
    private typealias Given = (worker: String, task: TaskID, position: Int, basis: String)

    private func given(_ fixture: CoordinatorFixture) -> [Given] {
        fixture.actions.compactMap { action in
            guard case .dispatch(let peer, .compare(let task, _, let position, let basis)) = action else { return nil }
            return (String(decoding: peer.bytes, as: UTF8.self), task, position, basis)
        }
    }

    private func isAsked(_ fixture: CoordinatorFixture) -> Bool {
        fixture.actions.contains { if case .loadComparison(operation: "c", _) = $0 { true } else { false } }
    }

    private func report(_ seed: UInt64) -> ComparisonReport {
        ComparisonReport(cases: [
            ComparisonReport.CaseSummary(
                seed: seed, data: "as recorded", training: 1, validation: 1, test: 1, shards: 1, partition: .hash,
                epochs: 1)
        ])
    }

    private func copies(_ count: Int) -> [ShardCopy] {
        (0..<count).map { ShardCopy(shard: $0, manifest: "m\($0)", prompts: 10, adapter: "a\($0)") }
    }

    /// A trained cluster with workers, and a comparison whose cases are known.
    private func running(cases: Int, workers: [String], kept: [String]? = nil) -> CoordinatorFixture {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true))
        for (index, name) in workers.enumerated() { fixture.hello(name, copies: index == 0 ? copies(1) : []) }
        var options = ComparisonOptions.quick
        options.kept = kept
        fixture.ask(.compare(options), id: "c")
        #expect(isAsked(fixture))
        fixture.feed(
            .comparisonLoaded(
                operation: "c", .success(LoadedComparison(cases: PlannedCase.samples(cases), basis: "basis"))))
        return fixture
    }

    private func end(of fixture: inout CoordinatorFixture) -> (state: OperationReport, result: ComparisonReport?) {
        fixture.ask(.operation(id: "c"), id: "poll")
        guard case .operation(let state, let result) = fixture.replies.first else {
            return (OperationReport(id: "", kind: "", state: .failed, progress: "", fraction: 0), nil)
        }
        guard case .comparison(let found) = result else { return (state, nil) }
        return (state, found.report)
    }

    @Test("Every worker gets one case at a time, and the reports come together in the order of the cases")
    func cases() throws {
        var fixture = running(cases: 3, workers: ["a", "b"])
        let first = given(fixture)
        #expect(first.map(\.worker) == ["a", "b"])
        #expect(first.map(\.position) == [0, 1])
        #expect(first.allSatisfy { $0.basis == "basis" })
        fixture.say(.compared(task: first[1].task, report(1)), by: "b")
        let second = given(fixture)
        #expect(second.map(\.position) == [2])
        #expect(end(of: &fixture).state.progress.contains("1 of 3"))
        fixture.say(.compared(task: second[0].task, report(2)), by: "b")
        fixture.say(.compared(task: first[0].task, report(0)), by: "a")
        let (state, result) = end(of: &fixture)
        #expect(state.state == .done)
        #expect(result?.cases.map(\.seed) == [0, 1, 2])
    }

    @Test("A forget that is committed meanwhile makes it start anew; what was found before does not count")
    func restart() throws {
        var fixture = running(cases: 1, workers: ["a"])
        let old = try #require(given(fixture).first)
        var after = CoordinatorFixture.snapshot(shards: 1, adapters: true)
        after.testPrompts -= 1
        fixture.feed(.ledgerChanged(after))
        #expect(fixture.messages(to: "a").contains(.cancel(task: old.task)))
        fixture.say(.compared(task: old.task, report(7)), by: "a")
        #expect(end(of: &fixture).state.state == .running)
        fixture.wait(1000, beating: ["a"])
        #expect(isAsked(fixture))
        fixture.feed(
            .comparisonLoaded(operation: "c", .success(LoadedComparison(cases: PlannedCase.samples(1), basis: "new"))))
        let new = try #require(given(fixture).first)
        #expect(new.basis == "new")
        fixture.say(.compared(task: new.task, report(8)), by: "a")
        #expect(end(of: &fixture).result?.cases.map(\.seed) == [8])
    }

    @Test("The case of a worker that is lost in the middle goes to another one")
    func lost() throws {
        var fixture = running(cases: 1, workers: ["a", "b"])
        let first = try #require(given(fixture).first)
        #expect(first.worker == "a")
        fixture.wait(15_000, beating: ["b"])
        let second = try #require(given(fixture).first)
        #expect(second.worker == "b")
        fixture.say(.compared(task: second.task, report(3)), by: "b")
        #expect(end(of: &fixture).state.state == .done)
    }

    @Test("A case that fails again and again ends the comparison with the worker's reason")
    func failing() {
        var fixture = running(cases: 1, workers: ["a"])
        for _ in 0..<CoordinatorLimits.attempts {
            guard let task = given(fixture).first?.task else { break }
            fixture.say(.failed(task: task, code: .notFinite, message: "a loss is not finite"), by: "a")
        }
        let state = end(of: &fixture).state
        #expect(state.state == .failed)
        #expect(state.error?.code == .notFinite)
    }

    @Test("A case that fails goes behind the others, and in the end its reason stands beside what was found")
    func behind() throws {
        var fixture = running(cases: 3, workers: ["a"])
        var order: [Int] = []
        while let next = given(fixture).first, order.count < 10 {
            order.append(next.position)
            if next.position == 0 {
                fixture.say(.failed(task: next.task, code: .notFinite, message: "a loss is not finite"), by: "a")
            } else {
                fixture.say(.compared(task: next.task, report(UInt64(next.position))), by: "a")
            }
        }
        #expect(order == [0, 1, 2, 0, 0])
        let (state, result) = end(of: &fixture)
        #expect(state.state == .done)
        #expect(result?.cases.map(\.seed) == [1, 2] && result?.missing?.map(\.seed) == [0])
        let failed = try #require(result?.failed)
        #expect(failed.map(\.planned.seed) == [0] && failed.map(\.code) == ["not-finite"])
        #expect(failed[0].reason.contains("a loss is not finite") && result?.incomplete != nil)
        #expect(try #require(told(&fixture, known: [])).1.failed == failed)
        #expect(fixture.status.stuck.isEmpty)
    }

    @Test("Another worker is preferred for a case that failed; one that does not know the methods is not waited for")
    func preferred() throws {
        var fixture = running(cases: 1, workers: ["a", "b"])
        let first = try #require(given(fixture).first)
        #expect(first.worker == "a")
        fixture.say(.failed(task: first.task, code: .notFinite, message: ""), by: "a")
        let second = try #require(given(fixture).first)
        #expect(second.worker == "b")
        fixture.hello("b") { $0.methods = [] }
        // It is lost to b with the process, and nobody but a can have it from now on.
        let third = try #require(given(fixture).first)
        #expect(third.worker == "a")
        fixture.say(.failed(task: third.task, code: .notFinite, message: ""), by: "a")
        #expect(given(fixture).map(\.worker) == ["a"])
    }

    @Test("A case that takes its workers down is given up after a while, and the case of a lost worker goes behind")
    func takesDown() throws {
        var fixture = running(cases: 2, workers: ["a"])
        var order: [Int] = []
        while let next = given(fixture).first, order.count < 20 {
            order.append(next.position)
            if next.position == 0 {
                fixture.hello("a", copies: copies(1))
            } else {
                fixture.say(.compared(task: next.task, report(1)), by: "a")
            }
        }
        #expect(order == [0, 1] + [Int](repeating: 0, count: CoordinatorLimits.caseLosses - 1))
        let (state, result) = end(of: &fixture)
        #expect(state.state == .done && result?.cases.map(\.seed) == [1])
        #expect(result?.failed?.map(\.code) == ["silent"])
    }

    @Test("A worker that was given up and goes on with its case has not lost it")
    func heardAgain() throws {
        var fixture = running(cases: 1, workers: ["a"])
        let task = try #require(given(fixture).first?.task)
        // For its case to lapse somebody else has to be there.
        fixture.hello("b") { $0.methods = [] }
        for _ in 0...CoordinatorLimits.caseLosses {
            // Longer than it is believed to be there, and then awaited.
            let span = CoordinatorLimits.longestPatience + CoordinatorLimits.reservationSeconds.upperBound + 2
            fixture.wait(Int64(span) * 1000, beating: ["b"])
            fixture.say(.heartbeat, by: "a")
        }
        fixture.say(.compared(task: task, report(4)), by: "a")
        #expect(end(of: &fixture).result?.cases.map(\.seed) == [4])
    }

    @Test("A comparison is stopped on request: its worker is free, and what was found is told all the same")
    func stopped() throws {
        var fixture = running(cases: 2, workers: ["a"])
        let first = try #require(given(fixture).first)
        fixture.say(.compared(task: first.task, report(0)), by: "a")
        let second = try #require(given(fixture).first)
        fixture.ask(.stop(operation: "c"), id: "s")
        guard case .operation(let ended, nil) = fixture.replies.first else {
            Issue.record("another reply")
            return
        }
        #expect(ended.state == .failed && ended.error?.code == .stopped)
        #expect(fixture.messages(to: "a").contains(.cancel(task: second.task)))
        let (state, cases) = try #require(told(&fixture, known: []))
        #expect(state.error?.code == .stopped)
        #expect(cases.plan.count == 2 && cases.found.map(\.digest) == [PlannedCase.samples(1)[0].digest])
        fixture.say(.compared(task: second.task, report(1)), by: "a")
        #expect(try #require(told(&fixture, known: cases.found.map(\.digest))).1.found.isEmpty)
        // Once more changes nothing; other operations that only read are stopped the same way.
        fixture.ask(.stop(operation: "c"), id: "t")
        guard case .operation(let again, nil) = fixture.replies.first else {
            Issue.record("another reply")
            return
        }
        #expect(again.state == .failed && again.error == ended.error)
        fixture.ask(.verify(.init(request: nil)), id: "v")
        fixture.ask(.stop(operation: "v"), id: "u")
        guard case .operation(let verification, nil) = fixture.replies.first else {
            Issue.record("another reply")
            return
        }
        #expect(verification.error?.code == .stopped)
        fixture.ask(.stop(operation: "nobody"), id: "w")
        guard case .unknownOperation("nobody") = fixture.replies.first else {
            Issue.record("another reply")
            return
        }
    }

    @Test("A training that was accepted is carried out: it cannot be stopped")
    func notStopped() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        fixture.ask(.train, id: "t")
        fixture.ask(.stop(operation: "t"), id: "s")
        #expect(fixture.errors.map(\.code) == [.cannotBeStopped])
    }

    @Test("A case that cannot be sent for want of room waits, instead of being tried again and again at once")
    func noRoom() throws {
        var fixture = running(cases: 1, workers: ["a"])
        let task = try #require(given(fixture).first?.task)
        let full = ClientError(code: .diskFull, message: "no space")
        fixture.feed(.undelivered(peer: fixture.peer("a"), task: task, full))
        #expect(given(fixture).isEmpty)
        fixture.wait(Int64(CoordinatorLimits.fullDiskSeconds) * 1000 + 1000, beating: ["a"])
        let again = try #require(given(fixture).first)
        fixture.say(.compared(task: again.task, report(5)), by: "a")
        #expect(end(of: &fixture).result?.cases.map(\.seed) == [5])
    }

    @Test("A comparison that nobody asks for ends by itself; each question gives it its time anew")
    func unattended() throws {
        var fixture = running(cases: 2, workers: ["a"])
        fixture.say(.compared(task: try #require(given(fixture).first?.task), report(0)), by: "a")
        let span = Int64(CoordinatorLimits.unattendedSeconds) * 1000
        fixture.sleep(span - 1000)
        #expect(try #require(told(&fixture, known: [])).0.state == .running)
        fixture.sleep(span - 1000)
        fixture.feed(.tick)
        #expect(fixture.status.operations.map(\.state) == [.running])
        fixture.sleep(2000)
        fixture.feed(.tick)
        let (state, cases) = try #require(told(&fixture, known: []))
        #expect(state.state == .failed && state.error?.code == .stopped && cases.found.count == 1)
    }

    @Test("Training, evaluations and verifications come first: a case is given up where every worker has one")
    func leastUrgent() throws {
        var fixture = running(cases: 2, workers: ["a", "b"])
        let given = given(fixture)
        #expect(given.count == 2)
        fixture.say(
            .progress(
                WorkerMessage.TaskProgress(
                    task: given[0].task, step: 5, steps: 10, loss: 0, tokensPerSecond: 0, secondsRemaining: 0)),
            by: "a")
        fixture.ask(.verify(.init(request: nil)), id: "v")
        // The one that has done least.
        #expect(fixture.messages(to: "b").contains(.cancel(task: given[1].task)))
        #expect(!fixture.messages(to: "a").contains(.cancel(task: given[0].task)))
        let replay = fixture.actions.contains { action in
            if case .dispatch(fixture.peer("b"), .replay) = action { true } else { false }
        }
        #expect(replay)
    }

    /// What a client that keeps cases is told.
    private func told(_ fixture: inout CoordinatorFixture, known: [String]) -> (OperationReport, ComparedCases)? {
        fixture.ask(.comparedCases(.init(operation: "c", known: known)), id: "poll")
        guard case .comparedCases(let report, let cases) = fixture.replies.first else { return nil }
        return (report, cases)
    }

    @Test("Cases that the client keeps are not computed, and what is found is told one by one, also while others run")
    func kept() throws {
        let plan = PlannedCase.samples(4)
        let digests = plan.map(\.digest)
        var fixture = running(cases: 4, workers: ["a"], kept: [digests[1], String(repeating: "f", count: 64)])
        var next = given(fixture).first
        #expect(end(of: &fixture).state.progress.contains("1 of 4"))
        let (begun, nothing) = try #require(told(&fixture, known: [digests[1]]))
        #expect(begun.state == .running && nothing == ComparedCases(plan: plan))
        for position in [0, 2, 3] {
            let dealt = try #require(next)
            #expect(dealt.position == position)
            fixture.say(.compared(task: dealt.task, report(UInt64(position))), by: "a")
            next = given(fixture).first
            let (state, cases) = try #require(told(&fixture, known: Array(digests[..<position])))
            #expect(cases.found == [FoundCase(digest: digests[position], report: report(UInt64(position)))])
            #expect(state.state == (position == 3 ? .done : .running))
        }
        // Also after the end, to whoever comes back late.
        let (done, first) = try #require(told(&fixture, known: []))
        #expect(done.state == .done && first.found.map(\.digest) == [digests[0]])
        #expect(try #require(told(&fixture, known: digests)).1.found.isEmpty)
        #expect(end(of: &fixture).result?.cases.map(\.seed) == [0, 2, 3])
    }

    @Test("A comparison whose cases are all kept is done at once")
    func allKept() throws {
        var fixture = running(cases: 2, workers: ["a"], kept: PlannedCase.samples(2).map(\.digest))
        #expect(given(fixture).isEmpty)
        let (report, cases) = try #require(told(&fixture, known: []))
        #expect(report.state == .done && cases.found.isEmpty && cases.plan.count == 2)
    }

    @Test("Cases are told of comparisons only")
    func noComparison() {
        var fixture = running(cases: 1, workers: ["a"])
        fixture.ask(.verify(.init(request: nil)), id: "v")
        fixture.ask(.comparedCases(.init(operation: "v", known: [])), id: "poll")
        #expect(fixture.errors.map(\.code) == [.invalidRequest])
        fixture.ask(.comparedCases(.init(operation: "nobody", known: [])), id: "poll")
        guard case .unknownOperation("nobody") = fixture.replies.first else {
            Issue.record("another reply")
            return
        }
    }

    @Test("A comparison waits until training is done")
    func waits() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        fixture.ask(.compare(.quick), id: "c")
        #expect(!isAsked(fixture))
        #expect(fixture.replies.count == 1)
    }

    @Test("Options beyond the bounds and numbers that are none are refused")
    func refused() throws {
        var fixture = running(cases: 1, workers: ["a"])
        let task = try #require(given(fixture).first?.task)
        var options = ComparisonOptions.quick
        options.seeds = 1000
        fixture.ask(.compare(options), id: "many")
        #expect(fixture.errors.map(\.code) == [.invalidRequest])
        let many = [String](repeating: String(repeating: "0", count: 64), count: ComparisonOptions.largestKept + 1)
        for kept in [["no digest"], many] {
            options = .quick
            options.kept = kept
            fixture.ask(.compare(options), id: "kept")
            #expect(fixture.errors.map(\.code) == [.invalidRequest])
        }
        var bad = ComparisonReport.sample
        bad.rows[0].effort?.request.seconds = .nan
        fixture.say(.compared(task: task, bad), by: "a")
        #expect(end(of: &fixture).state.state == .running)
        #expect(end(of: &fixture).result == nil)
    }

    @Test("A worker computes a case from the wire and answers with finite numbers, or is stopped")
    func worker() throws {
        let message = CoordinatorMessage.compare(task: 3, .sample(seed: 4, base: Toy.base))
        guard case .compare(_, let comparison) = try CoordinatorMessage(frames: message.frames()) else {
            Issue.record("another message")
            return
        }
        let executor = Toy.executor()
        var steps: [Int] = []
        let report = try executor.compare(comparison, progress: { steps.append($0.step) }, isCancelled: { false })
        #expect(report.isFinite)
        #expect(report.rows.map(\.method) == ComparisonMethod.allCases)
        #expect(report.rows.allSatisfy { $0.failure == nil }, "\(report.rows.compactMap(\.failure))")
        #expect(report.sequences.count == 5)
        #expect(steps == steps.sorted() && steps.last == ComparisonMethod.allCases.count + 1)
        #expect(throws: UnlearningError.cancelled) {
            try executor.compare(comparison, progress: { _ in }, isCancelled: { true })
        }
    }
}
