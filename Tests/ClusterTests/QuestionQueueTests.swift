import Messages
import Serving
import Testing

@Suite("Questions from when they come until they are answered")
struct QuestionQueueTests {
    private let anna = Asker.key("anna")
    private let ben = Asker.key("ben")

    private func id(_ name: String) -> QuestionID { QuestionID(by: "local", request: name) }
    private func question(_ user: String) -> ClientRequest.QueryRequest { .init(user: user, items: ["i"], top: nil) }

    private func limits(open: Int = 16, waiting: Int = 1024, attempts: Int = 5) -> QuestionQueue.Limits {
        var limits = QuestionQueue.Limits()
        (limits.open, limits.waiting, limits.attempts) = (open, waiting, attempts)
        return limits
    }

    private func basis(
        person: Int64? = 1, items: Set<String> = ["i"], adapters: Set<String> = ["a"], references: Bool = false,
        likes: Bool = false
    ) -> AnswerBasis {
        AnswerBasis(
            person: person, items: items, adapters: adapters, looksAtReferences: references, looksAtLikes: likes,
            prompts: 1)
    }

    private func forgotten(
        people: Set<Int64> = [], items: Set<String> = [], adapters: Set<String> = [], references: Bool = false,
        likes: Bool? = nil
    ) -> ForgottenInputs {
        ForgottenInputs(
            people: people, items: items, adapters: adapters, changesReferences: references, changesLikes: likes)
    }

    private func reply(_ adapters: [String] = ["a"]) -> QueryReply {
        QueryReply(
            user: "u", items: [],
            adapters: adapters.enumerated().map { .init(shard: $0, name: $1, weight: 1 / Double(adapters.count)) },
            absentShards: [], rule: .nonDecomposed, attention: "equal", exact: true, seconds: 1)
    }

    /// As lines that a person can read.
    private func text(_ actions: [QuestionQueue.Action]) -> [String] {
        actions.map { action in
            switch action {
            case .begin(let number, let request): "begin \(number) \(request.user)"
            case .drop(let number): "drop \(number)"
            case .answer(let id, .success, _): "answer \(id.request)"
            case .answer(let id, .failure(let error), _): "refuse \(id.request) \(error.code)"
            }
        }
    }

    @Test("A question that is asked again while it is computed is not begun again")
    func askedAgain() {
        var queue = QuestionQueue()
        #expect(text(queue.ask(id("q"), question("u"), by: anna)) == ["begin 1 u"])
        #expect(queue.ask(id("q"), question("u"), by: ben).isEmpty)
        #expect(text(queue.answered(1, .success(reply()), active: ["a"])) == ["answer q"])
    }

    @Test("A forget begins again what rests on the person, an item, an adapter or the references, and nothing else")
    func forgetsConcern() {
        let concerned = [
            forgotten(people: [1]), forgotten(items: ["i"]), forgotten(adapters: ["a"]), forgotten(references: true),
        ]
        for forgotten in concerned {
            var queue = QuestionQueue()
            _ = queue.ask(id("q"), question("u"), by: anna)
            queue.collected(1, basis(references: true))
            #expect(text(queue.forgot(forgotten)) == ["drop 1", "begin 2 u"])
            // What comes of the first computation is not looked at.
            #expect(queue.answered(1, .success(reply()), active: ["a"]).isEmpty)
            #expect(text(queue.answered(2, .success(reply()), active: ["a"])) == ["answer q"])
        }
        var queue = QuestionQueue()
        _ = queue.ask(id("q"), question("u"), by: anna)
        queue.collected(1, basis())
        let others = forgotten(people: [2], items: ["j"], adapters: ["b"], references: true)
        #expect(queue.forgot(others).isEmpty)
        #expect(text(queue.answered(1, .success(reply()), active: ["a"])) == ["answer q"])
    }

    @Test("A forget of what somebody liked begins again whose candidates were chosen by likes, and nothing else")
    func chosenCandidates() {
        var queue = QuestionQueue()
        _ = queue.ask(id("q"), question("u"), by: anna)
        queue.collected(1, basis(likes: true))
        #expect(queue.forgot(forgotten(people: [2])).isEmpty)
        #expect(text(queue.forgot(forgotten(people: [2], likes: true))) == ["drop 1", "begin 2 u"])
        queue.collected(2, basis())
        #expect(queue.forgot(forgotten(people: [2], likes: true)).isEmpty)
        #expect(text(queue.answered(2, .success(reply()), active: ["a"])) == ["answer q"])
    }

    @Test("A question with a given history rests on nobody, but on the history's items")
    func givenHistory() {
        var queue = QuestionQueue()
        let question = ClientRequest.QueryRequest(
            user: "", items: ["i"], top: nil, history: [GivenRating(item: "h", rating: 5)])
        _ = queue.ask(id("q"), question, by: anna)
        queue.collected(1, basis(person: nil, items: ["i", "h"]))
        #expect(queue.forgot(forgotten(people: [0, 1, 2], items: ["j"])).isEmpty)
        #expect(text(queue.forgot(forgotten(items: ["h"]))) == ["drop 1", "begin 2 "])
    }

    @Test("What is not collected yet is read from what is left: a forget before that begins nothing again")
    func notCollected() {
        var queue = QuestionQueue()
        _ = queue.ask(id("q"), question("u"), by: anna)
        #expect(queue.forgot(forgotten(people: [1], adapters: ["a"])).isEmpty)
    }

    @Test("An answer of adapters that may not answer any more does not go out, nor one of a damaged adapter")
    func inactiveAdapters() {
        var queue = QuestionQueue()
        _ = queue.ask(id("q"), question("u"), by: anna)
        #expect(text(queue.answered(1, .success(reply(["a", "b"])), active: ["a"])) == ["begin 2 u"])
        let damaged = ClientError(code: ErrorCode(rawValue: "adapter-damaged"), message: "")
        #expect(text(queue.answered(2, .failure(damaged), active: ["a"])) == ["begin 3 u"])
        #expect(text(queue.answered(3, .success(reply()), active: ["a"])) == ["answer q"])
    }

    @Test("What is taken away again and again is answered with busy")
    func attemptsEnd() {
        var queue = QuestionQueue(limits(attempts: 2))
        _ = queue.ask(id("q"), question("u"), by: anna)
        queue.collected(1, basis())
        _ = queue.forgot(forgotten(people: [1]))
        queue.collected(2, basis())
        #expect(text(queue.forgot(forgotten(people: [1]))) == ["drop 2", "refuse q busy"])
        #expect(queue.counts == QuestionCounts(waiting: 0, computing: 0, answered: 1, promptTokens: 0))
        queue.read(tokens: 30)
        queue.read(tokens: 12)
        #expect(queue.counts.promptTokens == 42)
    }

    @Test("More than may wait are refused; whoever waits hears how many come first")
    func bounded() {
        var queue = QuestionQueue(limits(open: 1, waiting: 2))
        for name in ["a", "b", "c"] { _ = queue.ask(id(name), question(name), by: anna) }
        #expect(text(queue.ask(id("d"), question("d"), by: anna)) == ["refuse d busy"])
        #expect(queue.notice(id("c")) == WorkingNotice(ahead: 2))
        queue.collected(1, basis())
        queue.computed(1, done: 3, of: 9)
        #expect(queue.notice(id("a")) == WorkingNotice(done: 3, of: 9))
    }

    @Test("A question that nobody waits for is dropped, and the next begins")
    func abandoned() {
        var queue = QuestionQueue(limits(open: 1))
        for name in ["a", "b", "c"] { _ = queue.ask(id(name), question(name), by: anna) }
        #expect(queue.abandon(id("b")).isEmpty)
        #expect(text(queue.abandon(id("a"))) == ["drop 1", "begin 2 c"])
        #expect(queue.answered(1, .success(reply()), active: ["a"]).isEmpty)
    }

    @Test("When more wait than are computed the newest comes first: whoever has waited long is about to give up")
    func overload() {
        var queue = QuestionQueue(limits(open: 2))
        for (number, name) in ["a", "b", "c", "d", "e"].enumerated() {
            _ = queue.ask(id(name), question(name), by: .connection(PeerID([UInt8(number)])))
        }
        #expect(text(queue.answered(1, .success(reply()), active: ["a"])) == ["answer a", "begin 3 e"])
        #expect(text(queue.answered(2, .success(reply()), active: ["a"])) == ["answer b", "begin 4 d"])
        #expect(text(queue.answered(3, .success(reply()), active: ["a"])) == ["answer e", "begin 5 c"])
    }

    @Test("What is begun again comes before whatever waits")
    func beginsAgainFirst() {
        var queue = QuestionQueue(limits(open: 1))
        for name in ["a", "b", "c"] { _ = queue.ask(id(name), question(name), by: anna) }
        queue.collected(1, basis())
        #expect(text(queue.forgot(forgotten(people: [1]))) == ["drop 1", "begin 2 a"])
    }

    @Test("Large questions are begun two at a time, and keep no small one waiting")
    func largeAndSmall() {
        var queue = QuestionQueue()
        let ranking = ClientRequest.QueryRequest(user: "r", items: [], top: 10)
        for name in ["r1", "r2", "r3"] { _ = queue.ask(id(name), ranking, by: anna) }
        #expect(queue.counts.computing == 2)
        #expect(text(queue.ask(id("s"), question("s"), by: anna)) == ["begin 3 s"])
        #expect(text(queue.answered(1, .success(reply()), active: ["a"])) == ["answer r1", "begin 4 r"])
        let many = ClientRequest.QueryRequest(user: "m", items: Array(repeating: "i", count: 32), top: nil)
        for number in 0..<12 { _ = queue.ask(id("m\(number)"), many, by: ben) }
        // One item, and four times thirty-two: as many prompts as a pass has room for are begun.
        #expect(queue.counts.waiting == 8)
    }

    @Test("The questions of one peer do not keep others waiting")
    func fair() {
        var queue = QuestionQueue(limits(open: 2))
        for name in ["a1", "a2", "a3", "a4"] { _ = queue.ask(id(name), question(name), by: anna) }
        _ = queue.ask(id("b1"), question("b1"), by: ben)
        #expect(text(queue.answered(1, .success(reply()), active: ["a"])) == ["answer a1", "begin 3 b1"])
    }
}
