import ClusterTestSupport
import Files
import LanguageModels
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("Adapters that a worker scores with")
struct WorkerAdapterCacheTests {
    let prompts = Toy.prompts(0..<4)
    let bytes: [[UInt8]] = [[1], [2, 2], [3, 3, 3]]
    var names: [String] { bytes.map { sha256($0) } }

    private func score(_ task: TaskID, _ adapters: [String]) -> CoordinatorMessage {
        .score(
            CoordinatorMessage.ScoreTask(
                task: task, rule: .decomposed, adapters: adapters, weights: [], prompts: prompts))
    }

    private func adapters(_ job: Job?) -> [[UInt8]]? {
        if case .score(_, let adapters) = job?.computation { adapters } else { nil }
    }

    @Test("An adapter is asked for once, whatever number of tasks names it, and comes in portions")
    func once() throws {
        var driver = WorkerLogicDriver()
        #expect(driver.say(score(1, names)).sent == [.lacks(task: 1, adapters: names)])
        #expect(driver.say(score(2, [names[1]])).isEmpty)
        // As many as fit; the rest is asked for again.
        let second = driver.say(.adapters(task: 1, [bytes[0], bytes[1]]))
        #expect(second.sent == [.lacks(task: 1, adapters: [names[2]])])
        #expect(adapters(second.jobs.first) == [bytes[1]])
        #expect(driver.say(.adapters(task: 1, [bytes[2]])).isEmpty)
        let scored = JobOutcome.scored(margins: [1], tokens: 1, seconds: 1)
        let next = driver.handle(.finished(try #require(second.jobs.first).id, scored))
        #expect(adapters(next.jobs.first) == bytes)
        driver.handle(.finished(try #require(next.jobs.first).id, scored))
        #expect(adapters(driver.say(score(3, names.reversed())).jobs.first) == bytes.reversed())
    }

    @Test("A dropped adapter is gone, as is every one when the connection is lost")
    func dropped() throws {
        var driver = WorkerLogicDriver()
        driver.say(score(1, names))
        let job = try #require(driver.say(.adapters(task: 1, bytes)).jobs.first)
        driver.handle(.finished(job.id, .scored(margins: [1], tokens: 1, seconds: 1)))
        driver.say(.drop(adapters: [names[1]]))
        #expect(driver.say(score(2, names)).sent == [.lacks(task: 2, adapters: [names[1]])])
        driver.handle(.disconnected)
        #expect(driver.handle(.connected(goingOnWith: [2])).sent == [.lacks(task: 2, adapters: names)])
    }

    @Test("If the task under which an adapter was asked for goes, the next one that needs it asks")
    func cancelled() throws {
        var driver = WorkerLogicDriver()
        driver.say(score(1, names))
        driver.say(score(2, names))
        #expect(driver.say(.cancel(task: 1)).sent == [.lacks(task: 2, adapters: names)])
        #expect(adapters(driver.say(.adapters(task: 2, bytes)).jobs.first) == bytes)
    }

    @Test("Bytes of another name fail the task instead of being scored with")
    func otherBytes() throws {
        var driver = WorkerLogicDriver()
        driver.say(score(1, [names[0]]))
        guard case .failed(1, .contentName, _)? = driver.say(.adapters(task: 1, [[9]])).sent.first else {
            Issue.record("no failure")
            return
        }
        #expect(driver.say(.adapters(task: 1, [bytes[0]])).isEmpty)
    }

    @Test("No more than the limit stays, of those used longest ago least, but whatever one task needs")
    func limit() {
        var cache = AdapterCache(limit: 5)
        cache.keep([1, 1], named: "a", needed: [])
        cache.keep([2, 2], named: "b", needed: [])
        cache.used(["a"])
        cache.keep([3, 3], named: "c", needed: ["c"])
        #expect(cache["a"] != nil && cache["b"] == nil && cache["c"] != nil)
        cache.keep([4, 4, 4, 4], named: "d", needed: ["c", "d"])
        #expect(cache["a"] == nil && cache["c"] != nil && cache["d"] != nil)
    }
}
