import ClusterTestSupport
import Coordination
import Foundation
import LanguageModels
import Messages
import Testing

@Suite("Duties that fail, alone")
struct FailingDutiesTests {
    private func plan(seed: UInt64, refusing refused: Set<ModelLedger.Refusal>) -> SimulationPlan {
        var plan = SimulationPlan(seed: seed)
        plan.workers = 2
        plan.shards = 4
        plan.users = Dictionary(uniqueKeysWithValues: (0..<12).map { ($0, 5) })
        plan.partitionNeedsEmbeddings = false
        plan.chaosMilliseconds = 150_000
        (plan.lossy, plan.crashes, plan.forgets, plan.reads) = (0, 0, 8, 0)
        (plan.prepares, plan.hasFalseWorker) = (false, false)
        plan.forgetEveryMilliseconds = 20_000
        plan.refused = (from: 0, refused)
        return plan
    }

    private func run(_ plan: SimulationPlan) throws -> (Simulation, StatusReport) {
        var simulation = Simulation(plan)
        simulation.run()
        #expect(simulation.violations.isEmpty, "\(simulation.violations.joined(separator: "; "))")
        return (simulation, try #require(simulation.statusBeforeCalm))
    }

    /// Requests of the first two minutes that had not ended when the refusals did.
    private func late(_ simulation: Simulation) -> [String] {
        simulation.clients.filter { client in
            guard let begin = client.acknowledgedAt, begin < 120_000 else { return false }
            return client.endedAt.map { $0 >= 150_000 } ?? true
        }.map(\.request)
    }

    @Test("While tuning and rows fail shards are trained, requests finish, and status says why", arguments: 0..<2)
    func tuningAndRows(seed: UInt64) throws {
        let (simulation, status) = try run(plan(seed: seed, refusing: [.tuning, .rows]))
        // The training itself waits for rows and tuning.
        #expect(late(simulation) == ["request-0"])
        #expect(status.stuck.contains { $0.kind == "rows" && $0.reason == "told to fail" && $0.attempts > 1 })
    }

    @Test("While the purge fails shards are trained; requests wait for it, and status says so", arguments: 0..<2)
    func purge(seed: UInt64) throws {
        let (simulation, status) = try run(plan(seed: seed, refusing: [.purge, .tuning]))
        let early = simulation.clients.filter { ($0.acknowledgedAt ?? .max) < 100_000 }.map(\.request)
        #expect(status.pendingForgets.contains { early.contains($0.request) })
        #expect(status.pendingForgets.allSatisfy { !early.contains($0.request) || $0.waitingFor.isEmpty })
        #expect(status.stuck.contains { $0.kind == "purge" } && status.stuck.contains { $0.kind == "tune" })
        for pending in status.pendingForgets where pending.waitingFor.isEmpty {
            #expect(pending.waits.contains { $0.contains("purge") && $0.contains("told to fail") })
        }
    }

    @Test("While the partition fails, prompts that have a shard are trained, and status says what fails")
    func partition() throws {
        var snapshot = CoordinatorFixture.snapshot(shards: 2)
        snapshot.unassignedPrompts = 3
        var fixture = CoordinatorFixture(snapshot)
        fixture.hello("a")
        #expect(fixture.assignments.isEmpty)
        let command = try #require(fixture.commands.first { $0.command == .partition })
        fixture.feed(.ledger(command.id, .failed(ClientError(code: .failed, message: "told to fail"))))
        #expect(fixture.assignments.map(\.shard) == [0])
        #expect(fixture.status.stuck.map(\.kind) == ["partition"])
    }

    @Test("A certificate that cannot be written, or a note of copies, holds back no other request's shards")
    func certificatesAndCopies() throws {
        let (simulation, status) = try run(plan(seed: 1, refusing: [.certificates, .copies]))
        let early = simulation.clients.filter { ($0.acknowledgedAt ?? .max) < 100_000 }.map(\.request)
        #expect(status.pendingForgets.allSatisfy { !early.contains($0.request) || $0.waitingFor.isEmpty })
        #expect(Set(status.stuck.map(\.kind)).isSubset(of: ["finish", "copies"]))
        #expect(status.pendingForgets.contains { $0.waits.contains { $0.contains("certificate") } })
    }

    @Test(
        "With a full disk no result is begun; with other errors results of a kind are bounded, and each adapter has its own"
    )
    func bound() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 8))
        fixture.hello("a")
        var published = 0
        for _ in 0..<8 {
            guard let task = fixture.assignments.first else { break }
            fixture.say(
                CoordinatorFixture.report(
                    task: task.task, shard: task.shard, manifest: task.manifest, adapter: "a\(task.shard)"), by: "a")
            var next = fixture.actions
            for command in fixture.commands {
                guard case .publish = command.command else { continue }
                published += 1
                fixture.feed(.ledger(command.id, .failed(ClientError(code: .failed, message: "told to fail"))))
                next += fixture.actions
            }
            fixture.actions = next
        }
        // The one that was begun before the last of them failed.
        #expect(published == CoordinatorLimits.unwrittenResults + 1)
        #expect(fixture.status.stuck.count == published)
    }
}
