import Coordination
import Messages
import Service
import Testing

@Suite("Tasks that wait to be made whole")
struct WaitingTasksTests {
    private let peers = (1...3).map { PeerID([UInt8($0)]) }

    private func prompts(_ task: TaskID, shard: Int = 0) -> Dispatch {
        .prompts(task: task, shard: shard, manifest: "m", digests: ["d"])
    }

    private func tasks(_ begun: [WaitingTasks.Entry]) -> [TaskID] {
        begun.compactMap { if case .dispatch(let dispatch) = $0.work { dispatch.task } else { nil } }
    }

    @Test("A worker that has much waiting gets no more, and the others get theirs")
    func heldBack() {
        var waiting = WaitingTasks()
        for (task, peer) in [(1, peers[0]), (2, peers[1]), (3, peers[0]), (4, peers[2])] as [(TaskID, PeerID)] {
            waiting.add(prompts(task), for: peer)
        }
        #expect(tasks(waiting.begin { $0 != peers[0] }) == [2, 4])
        #expect(tasks(waiting.begin { $0 != peers[0] }) == [])
        // In their order, as soon as it has read.
        #expect(tasks(waiting.begin { _ in true }) == [1, 3] && waiting.isEmpty)
    }

    @Test("Few are begun at once")
    func fewAtOnce() {
        var waiting = WaitingTasks()
        let all = (1...TaskID(WaitingTasks.underWayAtOnce + 2)).map { $0 }
        for task in all { waiting.add(prompts(task), for: peers[Int(task) % 3]) }
        #expect(tasks(waiting.begin { _ in true }) == Array(all.dropLast(2)))
        #expect(waiting.begin { _ in true }.isEmpty)
        waiting.ended(nil)
        #expect(tasks(waiting.begin { _ in true }) == [all[all.count - 2]])
    }

    @Test("What is taken back is not begun, whatever it waits for")
    func takenBack() {
        var waiting = WaitingTasks()
        for peer in peers.prefix(2) {
            waiting.add(prompts(1, shard: 3), for: peer)
            waiting.add(prompts(2, shard: 4), for: peer)
            waiting.add(prompts(5, shard: 5), for: peer)
        }
        waiting.note(.cancel(task: 1), to: peers[0])
        waiting.note(.release(shard: 4), to: peers[0])
        #expect(tasks(waiting.begin { $0 == peers[0] }) == [5])
        waiting.remove(peers[1])
        #expect(waiting.isEmpty)
    }

    @Test("Adapters that wait are dropped again behind them")
    func droppedBehind() {
        var waiting = WaitingTasks()
        waiting.note(.drop(adapters: ["a"]), to: peers[0])
        #expect(waiting.isEmpty)
        waiting.add(.adapters(task: 1, [.published(name: "a")]), for: peers[0])
        waiting.note(.drop(adapters: ["a"]), to: peers[0])
        waiting.note(.drop(adapters: ["a"]), to: peers[1])
        #expect(
            waiting.begin { _ in true }.map(\.work) == [
                .dispatch(.adapters(task: 1, [.published(name: "a")])), .drop(adapters: ["a"]),
            ])
    }

    private func prompts(_ task: TaskID, needing digests: [String]) -> Dispatch {
        .prompts(task: task, shard: 0, manifest: "m", digests: digests)
    }

    @Test("Who asks again before it was answered is answered once, with what it lacks now")
    func askedAgain() {
        var waiting = WaitingTasks()
        for count in (1...5000).reversed() {
            waiting.add(prompts(1, needing: (0..<count).map { "d\($0)" }), for: peers[0])
        }
        waiting.add(prompts(1, needing: ["x"]), for: peers[1])
        waiting.add(prompts(2, needing: ["y"]), for: peers[0])
        #expect(
            waiting.begin { _ in true }.map(\.work) == [
                .dispatch(prompts(1, needing: ["d0"])), .dispatch(prompts(1, needing: ["x"])),
                .dispatch(prompts(2, needing: ["y"])),
            ])
    }

    @Test("Adapters that were asked for one after another go together, each once")
    func adaptersTogether() {
        var waiting = WaitingTasks()
        for names in [["a", "b"], ["b", "c"], ["a"]] {
            waiting.add(.adapters(task: 1, names.map { .published(name: $0) }), for: peers[0])
        }
        let all = ["a", "b", "c"].map { AdapterReference.published(name: $0) }
        #expect(waiting.begin { _ in true }.map(\.work) == [.dispatch(.adapters(task: 1, all))])
    }

    @Test("While one answer is made, the next to the same question waits, and others do not")
    func oneAtATime() throws {
        var waiting = WaitingTasks()
        waiting.add(prompts(1, needing: ["a", "b"]), for: peers[0])
        let first = try #require(waiting.begin { _ in true }.first)
        waiting.add(prompts(1, needing: ["b"]), for: peers[0])
        waiting.add(prompts(1, needing: ["c"]), for: peers[1])
        #expect(waiting.begin { _ in true }.map(\.peer) == [peers[1]])
        waiting.ended(first.question)
        #expect(waiting.begin { _ in true }.map(\.work) == [.dispatch(prompts(1, needing: ["b"]))])
        #expect(waiting.isEmpty)
    }

    @Test("That no more stages come is said once, behind those that wait")
    func noStage() {
        var waiting = WaitingTasks()
        waiting.add(.noStage(task: 1, shard: 3), for: peers[0])
        waiting.add(prompts(2), for: peers[0])
        for task in 3..<100 { waiting.add(.noStage(task: TaskID(task), shard: 3), for: peers[0]) }
        #expect(tasks(waiting.begin { _ in true }) == [2, 99])
    }
}
