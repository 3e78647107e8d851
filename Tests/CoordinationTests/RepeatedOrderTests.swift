import ClusterTestSupport
import Coordination
import Messages
import Testing

@Suite("What operators say of workers, asked for again under the same id")
struct RepeatedOrderTests {
    /// A coordinator and a ledger that takes everything at once.
    private struct Cluster {
        var fixture: CoordinatorFixture
        private(set) var words: [SettledWord] = []

        init(_ fixture: CoordinatorFixture) { self.fixture = fixture }

        /// - Returns: what whoever asked is told, and whether the ledger was asked.
        mutating func ask(_ request: ClientRequest, id: String) throws -> (reply: CoordinatorReply, isWritten: Bool) {
            fixture.ask(request, id: id)
            let command = fixture.commands.first
            if let command {
                switch command.command {
                case .setDuty(let word, _), .forgetCopy(let word, _): words.append(word)
                default: Issue.record("\(command.command)")
                }
                fixture.feed(.ledger(command.id, .committed(fixture.coordinator.snapshot)))
            }
            return (try #require(fixture.replies.first), command != nil)
        }

        mutating func order(_ verb: WorkerOrder.Verb, id: String) throws -> (reply: WorkerOrderReply?, isWritten: Bool)
        {
            let (reply, isWritten) = try ask(.order(WorkerOrder(worker: "a", verb: verb)), id: id)
            guard case .ordered(let told) = reply else { return (nil, isWritten) }
            return (told, isWritten)
        }

        var duty: WorkerDuty? { fixture.status.workers.first { $0.id == "a" }?.duty }
    }

    private func cluster(
        workers: [RememberedWorker] = [], words: [SettledWord] = [], isHere: Bool = true
    ) -> Cluster {
        var fixture = CoordinatorFixture(
            CoordinatorFixture.snapshot(shards: 1, adapters: true, requested: false), workers: workers, words: words)
        if isHere { fixture.hello("a", copies: [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: "a0")]) }
        return Cluster(fixture)
    }

    private func record(_ duty: WorkerDuty) -> WorkerRecord {
        WorkerRecord(worker: "a", name: "a", process: "h:1", duty: duty)
    }

    @Test(
        "An order whose reply was lost gives what it gave and does nothing, though it was undone meanwhile; after a restart too",
        arguments: [(WorkerOrder.Verb.pause, WorkerOrder.Verb.resume), (.drain, .resume), (.resume, .pause)])
    func undone(_ verb: WorkerOrder.Verb, _ opposite: WorkerOrder.Verb) throws {
        var cluster = cluster()
        let first = try cluster.order(verb, id: "first")
        #expect(first.isWritten && first.reply?.verb == verb && first.reply?.shards == [0])
        #expect(try cluster.order(opposite, id: "second").isWritten)
        let duty = try #require(cluster.duty)
        let again = try cluster.order(verb, id: "first")
        #expect(!again.isWritten && again.reply == first.reply && cluster.duty == duty)
        // Another order under this id is another order.
        #expect(try cluster.order(opposite, id: "first").reply == nil)
        #expect(try cluster.order(.remove, id: "first").reply == nil)
        #expect(cluster.fixture.errors.map(\.code) == [.requestConflict])

        var restarted = self.cluster(
            workers: [RememberedWorker(record: record(duty))], words: cluster.words)
        let later = try restarted.order(verb, id: "first")
        #expect(!later.isWritten && later.reply == first.reply && restarted.duty == duty)
        // A new order is a new order.
        #expect(try restarted.order(verb, id: "third").isWritten)
        #expect(restarted.duty != duty)
    }

    @Test("A worker that was removed, came back and went again is not removed by the repetition; after a restart too")
    func removed() throws {
        var cluster = cluster()
        cluster.fixture.say(.goodbye(deleted: []), by: "a")
        let first = try cluster.order(.remove, id: "r")
        #expect(first.isWritten && first.reply?.shards == [0])
        // Nobody of this name is there any more: it is told all the same.
        #expect(try cluster.order(.remove, id: "r").reply == first.reply)
        cluster.fixture.hello("a", peer: "a2")
        cluster.fixture.say(.goodbye(deleted: []), by: "a2")
        let again = try cluster.order(.remove, id: "r")
        #expect(!again.isWritten && again.reply == first.reply && cluster.duty != nil)
        var restarted = self.cluster(
            workers: [RememberedWorker(record: record(.work), awaySeconds: 1)], words: cluster.words, isHere: false)
        let later = try restarted.order(.remove, id: "r")
        #expect(!later.isWritten && later.reply == first.reply && restarted.duty != nil)
        #expect(try restarted.order(.remove, id: "s").isWritten && restarted.duty == nil)
    }

    @Test(
        "A disk that was declared destroyed and is there again is not declared so by the repetition, after a restart neither"
    )
    func destroyed() throws {
        let wanted = ClientRequest.forgetCopy(.init(worker: "a", shard: nil))
        var cluster = cluster()
        cluster.fixture.say(.goodbye(deleted: []), by: "a")
        #expect(try cluster.ask(wanted, id: "d").isWritten)
        cluster.fixture.hello(
            "a", peer: "a2", copies: [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: "a0")])
        cluster.fixture.say(.goodbye(deleted: []), by: "a2")
        var restarted = self.cluster(words: cluster.words)
        restarted.fixture.say(.goodbye(deleted: []), by: "a")
        for var cluster in [cluster, restarted] {
            let (reply, isWritten) = try cluster.ask(wanted, id: "d")
            guard case .forgottenCopy(let settlement) = reply else {
                Issue.record("\(reply)")
                return
            }
            #expect(!isWritten && settlement.worker == "a" && settlement.shards.map(\.shard) == [0])
            #expect(cluster.fixture.status.workers.first { $0.id == "a" }?.holds == [0])
            let (other, _) = try cluster.ask(.forgetCopy(.init(worker: "a", shard: 0)), id: "d")
            guard case .failure(let error) = other else {
                Issue.record("\(other)")
                return
            }
            #expect(error.code == .requestConflict)
        }
    }

    @Test("So many are remembered, the last ones")
    func bounded() throws {
        let words = (0...CoordinatorLimits.settledWords).map { number in
            SettledWord(
                request: "o\(number)", wanted: .order(WorkerOrder(worker: "a", verb: .pause)),
                outcome: .ordered(WorkerOrderReply(worker: "a", name: "a", verb: .pause, tasks: 0, shards: [])))
        }
        var cluster = cluster(words: words)
        #expect(try !cluster.order(.pause, id: "o1").isWritten)
        #expect(try !cluster.order(.pause, id: "o\(CoordinatorLimits.settledWords)").isWritten)
        #expect(cluster.duty == .work)
        #expect(try cluster.order(.pause, id: "o0").isWritten && cluster.duty == .pause)
    }
}
