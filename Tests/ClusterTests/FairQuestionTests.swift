import Messages
import Serving
import Testing

@Suite("A full queue of questions belongs to nobody alone")
struct FairQuestionTests {
    private let flood = Asker.key("flood")
    private let other = Asker.key("other")
    private let anna = Asker.key("anna")

    private func id(_ name: String) -> QuestionID { QuestionID(by: "local", request: name) }
    private func question(_ user: String) -> ClientRequest.QueryRequest { .init(user: user, items: ["i"], top: nil) }

    private func queue(waiting: Int, open: Int = 1) -> QuestionQueue {
        var limits = QuestionQueue.Limits()
        (limits.waiting, limits.open) = (waiting, open)
        return QuestionQueue(limits)
    }

    private func reply() -> QueryReply {
        QueryReply(
            user: "u", items: [], adapters: [], absentShards: [], rule: .nonDecomposed, attention: "equal", exact: true,
            seconds: 1)
    }

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

    @Test("Whoever has few questions takes the place of the oldest of whoever has the most, who hears busy")
    func newcomer() {
        var queue = queue(waiting: 4)
        for name in ["f1", "f2", "f3", "f4", "f5"] { _ = queue.ask(id(name), question(name), by: flood) }
        #expect(text(queue.ask(id("f6"), question("f6"), by: flood)) == ["refuse f6 busy"])
        #expect(text(queue.ask(id("a1"), question("a1"), by: anna)) == ["refuse f2 busy"])
        #expect(text(queue.ask(id("a2"), question("a2"), by: anna)) == ["refuse f3 busy"])
        // Nobody has more than one more than anna now.
        #expect(text(queue.ask(id("a3"), question("a3"), by: anna)) == ["refuse a3 busy"])
        #expect(queue.counts == QuestionCounts(waiting: 4, computing: 1, answered: 0, promptTokens: 0))
        #expect(text(queue.ask(id("f2"), question("f2"), by: flood)) == ["refuse f2 busy"])
    }

    @Test("Of several who have as many the question that has waited longest is given up")
    func longestWaiting() {
        var queue = queue(waiting: 4)
        for (name, asker) in [("f1", flood), ("o1", other), ("f2", flood), ("f3", flood), ("o2", other)] {
            _ = queue.ask(id(name), question(name), by: asker)
        }
        #expect(text(queue.ask(id("a1"), question("a1"), by: anna)) == ["refuse o1 busy"])
    }

    @Test("Everybody's turn comes round, however many questions somebody has")
    func turns() {
        var queue = queue(waiting: 100)
        for number in 0..<20 { _ = queue.ask(id("f\(number)"), question("flood"), by: flood) }
        for number in 0..<3 { _ = queue.ask(id("a\(number)"), question("anna"), by: anna) }
        for number in 0..<3 { _ = queue.ask(id("o\(number)"), question("other"), by: other) }
        var begun: [String] = []
        for number in UInt64(1)..<10 {
            for case .begin(_, let request) in queue.answered(number, .success(reply()), active: []) {
                begun.append(request.user)
            }
        }
        #expect(begun.filter { $0 == "anna" }.count == 3 && begun.filter { $0 == "other" }.count == 3)
    }

    @Test("Connections of one key are one asker; without keys a connection is")
    func askers() {
        var queue = queue(waiting: 3)
        let connections = (0..<4).map { Asker.connection(PeerID([$0])) }
        for (number, asker) in connections.enumerated() {
            _ = queue.ask(id("q\(number)"), question("u"), by: asker)
        }
        // Each has one: there is nobody to take a place from.
        #expect(text(queue.ask(id("a"), question("a"), by: anna)) == ["refuse a busy"])
        #expect(queue.counts.waiting == 3)
    }

    @Test("A pass takes the first question of everybody before anybody's second")
    func passes() {
        #expect(PassPlan.inTurn(["f", "f", "f", "a", "b", "a"]) == [0, 3, 4, 1, 5, 2])
        #expect(PassPlan.inTurn([Int]()) == [])
        #expect(PassPlan.inTurn([1, 2, 3]) == [0, 1, 2])
    }
}
