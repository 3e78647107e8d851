import ClusterTestSupport
import Coordination
import Messages
import Testing

@Suite("The coordinator and its shards")
struct CoordinatorShardTests {
    private func copy(_ shard: Int, _ manifest: String, adapter: String? = nil) -> ShardCopy {
        ShardCopy(shard: shard, manifest: manifest, prompts: 10, adapter: adapter)
    }

    private func owned(_ fixture: CoordinatorFixture) -> [Int] {
        fixture.status.workers.map(\.shards.count)
    }

    @Test("Shards are spread evenly, also with more shards than workers and more workers than shards")
    func balance() {
        for (shards, workers) in [(4, 4), (7, 3), (2, 5), (1, 1), (8, 1)] {
            var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: shards, adapters: true))
            for worker in 0..<workers { fixture.hello("w\(worker)") }
            let counts = owned(fixture)
            #expect(counts.reduce(0, +) == shards)
            #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= 1, "\(shards) shards, \(workers) workers")
        }
    }

    @Test("A worker that holds a shard's data owns it, and nothing travels")
    func holders() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 4, adapters: true))
        for worker in 0..<4 {
            let shard = 3 - worker
            fixture.hello("w\(worker)", copies: [copy(shard, "m\(shard)", adapter: "a\(shard)")])
        }
        #expect(fixture.status.workers.map(\.shards) == [[3], [2], [1], [0]])
        fixture.wait(10_000, beating: ["w0", "w1", "w2", "w3"])
        #expect(fixture.assignments.isEmpty)
    }

    @Test("A shard that is about to move stays with its new owner, however often all of them are looked at")
    func placementIsStable() throws {
        var snapshot = CoordinatorFixture.snapshot(shards: 3, adapters: true)
        snapshot.shards[0].adapter = nil
        var fixture = CoordinatorFixture(snapshot)
        fixture.hello("a", copies: (0..<3).map { copy($0, "m\($0)") })
        let task = try #require(fixture.assignments.first)
        // The first shard is being trained: another one moves, once membership has been quiet for a while.
        fixture.hello("b")
        #expect(fixture.status.workers.map(\.shards) == [[0, 2], [1]])
        fixture.say(CoordinatorFixture.report(task: task.task, shard: 0, manifest: "m0", adapter: "a0"), by: "a")
        fixture.feed(.tick)
        let actions = fixture.coordinator.look(atEverything: true, at: CoordinatorInstant(milliseconds: 0))
        #expect(actions.isEmpty, "\(actions)")
        #expect(fixture.status.workers.map(\.shards) == [[0, 2], [1]])
    }

    @Test("A new worker takes its share of trained shards as data, and the former owner deletes it afterwards")
    func newWorker() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 2, adapters: true))
        fixture.hello("a", copies: [copy(0, "m0", adapter: "a0"), copy(1, "m1", adapter: "a1")])
        fixture.hello("b")
        fixture.wait(4000, beating: ["a", "b"])
        let move = try #require(fixture.assignments.first)
        #expect(move.worker == "b")
        #expect(!move.trains)
        #expect(!fixture.messages(to: "a").contains(.release(shard: move.shard)))
        fixture.say(.holds(copy(move.shard, move.manifest)), by: "b")
        #expect(fixture.messages(to: "a") == [.release(shard: move.shard)])
        fixture.say(.released(shard: move.shard), by: "a")
        fixture.wait(30_000, beating: ["a", "b"])
        #expect(fixture.assignments.isEmpty)
        #expect(fixture.messages(to: "a").allSatisfy { $0 == .heartbeat })
    }

    @Test("A worker that comes back with data that is no longer current has to delete it")
    func staleCopy() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true))
        fixture.hello("a", copies: [copy(0, "m0", adapter: "a0")])
        fixture.hello("b", copies: [copy(0, "before-the-forget"), copy(9, "no-such-shard")])
        #expect(fixture.messages(to: "b").contains(.release(shard: 0)))
        #expect(fixture.messages(to: "b").contains(.release(shard: 9)))
        // It is told again until it confirms.
        fixture.wait(11_000, beating: ["a", "b"])
        #expect(fixture.messages(to: "b").contains(.release(shard: 0)))
    }

    @Test("A worker trains one shard at a time, and waiting shards go to workers that have nothing to train")
    func oneTraining() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 3))
        fixture.hello("a")
        #expect(fixture.assignments.map(\.shard) == [0])
        fixture.hello("b")
        #expect(fixture.assignments.count == 1)
        #expect(fixture.assignments.first?.worker == "b")
    }

    @Test("A training that fails is tried on another worker, and fails the operation after a bounded number of times")
    func failingTraining() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        fixture.hello("b")
        fixture.ask(.train, id: "t")
        var tried = ["a"]
        var task: TaskID = 1
        for _ in 0..<10 {
            fixture.say(
                .failed(task: task, code: ErrorCode(rawValue: "out-of-memory"), message: "no memory"),
                by: tried.last ?? "")
            if fixture.assignments.isEmpty {
                // Whoever failed before has deleted its copy by now.
                fixture.say(.released(shard: 0), by: tried.last == "a" ? "b" : "a")
            }
            guard let next = fixture.assignments.first else { break }
            tried.append(next.worker)
            task = next.task
        }
        #expect(tried == ["a", "b", "a"])
        let report = try #require(fixture.status.operations.first)
        #expect(report.state == .failed)
        #expect(report.error?.code == ErrorCode(rawValue: "out-of-memory"))
        // Someone who asks again gets another try.
        fixture.ask(.train, id: "t2")
        #expect(fixture.assignments.count == 1)
    }

    @Test("Chunks of missing rows go to all workers, and those of a lost worker come back")
    func chunks() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 2, adapters: true, missingMargins: 8))
        fixture.hello("a", copies: [copy(0, "m0")])
        fixture.hello("b", copies: [copy(1, "m1")])
        let digests = (0..<8).map { "v\($0)" }
        fixture.feed(.missing(.margins(adapter: "a0"), .success(digests)))
        func given() -> [(worker: String, task: TaskID, digests: [String])] {
            fixture.actions.compactMap { action in
                guard case .dispatch(let peer, .score(let task, _, _, _, let digests)) = action else { return nil }
                return (String(decoding: peer.bytes, as: UTF8.self), task, digests)
            }
        }
        let first = given()
        #expect(Set(first.map(\.worker)) == ["a", "b"])
        let ofA = first.filter { $0.worker == "a" }.flatMap(\.digests)
        fixture.say(.goodbye(deleted: []), by: "a")
        var open = first.filter { $0.worker == "b" } + given()
        var seen: [String] = []
        while !open.isEmpty {
            let chunk = open.removeFirst()
            seen += chunk.digests
            let margins = [Float](repeating: 0, count: chunk.digests.count)
            fixture.say(.scored(task: chunk.task, tokens: 1, seconds: 1, margins: margins), by: "b")
            open += given()
        }
        #expect(!ofA.isEmpty)
        #expect(seen.sorted() == digests)
    }
}
