import Messages
import Testing
import lethe

@Suite("Which workers are here, and how far one is that was drained")
struct WorkerPresenceTests {
    private func report(_ workers: [StatusReport.Worker], expected: Int? = nil) -> StatusReport {
        var report = StatusReport(
            cluster: "c", base: "b", precision: "f32", activity: "", workers: workers, shards: [], operations: [],
            pendingForgets: [], disputes: [], stuck: [], tuned: false,
            data: .init(trainPrompts: 0, validationPrompts: 0, testPrompts: 0, missingEmbeddings: 0, missingMargins: 0))
        report.expectedWorkers = expected
        return report
    }

    private func worker(
        _ name: String, _ state: StatusReport.Worker.State, duty: WorkerDuty? = .work, copies: [Int] = [],
        awaySeconds: Double? = nil, because reason: String? = nil
    ) -> StatusReport.Worker {
        var worker = StatusReport.Worker(
            id: "id-\(name)", name: name, state: state, lastSeenSeconds: 0, threads: 1, shards: [], holds: copies,
            copies: copies.map { .init(shard: $0, manifests: ["m"], isCurrent: true) }, tasks: [])
        (worker.duty, worker.awaySeconds, worker.awayBecause) = (duty, awaySeconds, reason)
        return worker
    }

    @Test func `Nobody is called missing of whom it cannot be known`() {
        let here = [worker("a", .live), worker("b", .live)]
        let away = ["p1", "p2", "p3", "p4"].map { worker($0, .away) }
        func text(_ workers: [StatusReport.Worker], _ expected: Int?) -> String? {
            WorkerPresence(report(workers, expected: expected)).text
        }
        #expect(text(here, nil) == nil)
        #expect(text(here + away, 2) == "2 of 2 workers here")
        #expect(text(here, 3) == "2 of 3 workers here, missing: 1 that were never here")
        #expect(text(here + away, 3) == "2 of 3 workers here, 1 missing; away: p1, p2, p3, p4")
        #expect(text(here + away, 6) == "2 of 6 workers here, missing: p1, p2, p3, p4")
        #expect(text(here + away, 8) == "2 of 8 workers here, missing: p1, p2, p3, p4 and 2 that were never here")
    }

    @Test func `Data is called old only where it is not the present one`() {
        func text(_ manifests: [String], isCurrent: Bool = false) -> String {
            var away = worker("a", .away)
            away.copies = [.init(shard: 2, manifests: manifests, isCurrent: isCurrent)]
            var report = report([away])
            report.shards = [.init(shard: 2, state: .current, prompts: 1, manifest: "m", prepared: false, held: false)]
            return WorkerPresence(report).copiesText(of: away)
        }
        #expect(text(["m"], isCurrent: true) == "2")
        // On record is what it was given; nobody has heard of it since the coordinator started.
        #expect(text(["m"]) == "2")
        #expect(text(["before"]) == "2 (old data)")
        #expect(text(["before", "m"]) == "2 (perhaps old data)")
    }

    @Test func `A drained worker that is out of reach has not left while its disk may hold something`() throws {
        func progress(_ worker: StatusReport.Worker?) -> DrainProgress {
            DrainProgress(of: "id-a", in: report([worker].compactMap(\.self) + [self.worker("other", .live)]))
        }
        #expect(progress(worker("a", .live, duty: .drain, copies: [1])) == .here)
        #expect(progress(worker("a", .live, duty: .work)) == .resumed("a"))
        #expect(progress(worker("a", .live, duty: .pause)) == .resumed("a"))
        let away = worker(
            "a", .away, duty: .drain, copies: [1], awaySeconds: 200, because: "nothing was heard of it")
        #expect(progress(away) == .away(away))
        #expect(away.absenceText.hasPrefix("worker a is away for 3 min (nothing was heard of it): "))
        #expect(away.absenceText.contains("`lethe workers remove a`"))
        // It said goodbye after it had handed everything over: then it works when it comes back.
        #expect(progress(worker("a", .away, duty: .work)) == .left)
        #expect(progress(worker("a", .away, duty: .drain)) == .left)
        #expect(progress(nil) == .left)
    }
}
