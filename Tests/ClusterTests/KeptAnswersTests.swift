import Messages
import Serving
import Testing

@Suite("Answers that were sent are kept for a short while")
struct KeptAnswersTests {
    private let id = QuestionID(by: "anna", request: "q")
    private let question = ClientRequest.QueryRequest(user: "u", items: ["i"], top: nil)

    private func basis(_ person: Int64 = 1, adapters: Set<String> = ["a"]) -> AnswerBasis {
        AnswerBasis(person: person, items: ["i", "h"], adapters: adapters, looksAtReferences: true, prompts: 1)
    }

    private func kept(_ json: [UInt8] = [1, 2, 3]) -> KeptAnswers {
        var kept = KeptAnswers()
        kept.keep(json, of: id, question, basis(), at: 1000)
        return kept
    }

    private func answer(_ kept: KeptAnswers, active: Set<String> = ["a", "b"], at now: Int64 = 1001) -> [UInt8]? {
        kept.answer(to: id, question, active: active, at: now)
    }

    @Test("The same question under the same name gets the same answer; another question, name or key does not")
    func same() {
        let kept = kept()
        #expect(answer(kept) == [1, 2, 3])
        let other = ClientRequest.QueryRequest(user: "v", items: ["i"], top: nil)
        #expect(kept.answer(to: id, other, active: ["a"], at: 1001) == nil)
        for id in [QuestionID(by: "anna", request: "r"), QuestionID(by: "ben", request: "q")] {
            #expect(kept.answer(to: id, question, active: ["a"], at: 1001) == nil)
        }
    }

    @Test("It goes when a forget takes away what it rests on, and not for any other")
    func forgotten() {
        func left(
            people: Set<Int64> = [], items: Set<String> = [], adapters: Set<String> = [], references: Bool = false
        )
            -> [UInt8]?
        {
            var kept = kept()
            kept.forgot(
                ForgottenInputs(people: people, items: items, adapters: adapters, changesReferences: references))
            if answer(kept) == nil { #expect(kept.bytes == 0 && kept.count == 0) }
            return answer(kept)
        }
        #expect(left(people: [1]) == nil && left(items: ["h"]) == nil && left(adapters: ["a"]) == nil)
        #expect(left(references: true) == nil)
        #expect(left(people: [2], items: ["j"], adapters: ["b"]) == [1, 2, 3])
    }

    @Test("It is not given once one of its adapters may not answer any more, whatever took that away")
    func inactive() {
        #expect(answer(kept(), active: ["b"]) == nil)
    }

    @Test("It is kept for a minute, and then its memory is free")
    func time() {
        var kept = kept()
        #expect(answer(kept, at: 60_999) != nil && answer(kept, at: 61_000) == nil)
        kept.dropOld(at: 61_000)
        #expect(kept.count == 0 && kept.bytes == 0)
    }

    @Test("What is too much together loses the oldest")
    func bounded() {
        var limits = KeptAnswers.Limits()
        limits.bytes = 10_000
        var kept = KeptAnswers(limits)
        for number in 0..<20 {
            kept.keep(
                [UInt8](repeating: 0, count: 2000), of: QuestionID(by: "anna", request: "q\(number)"), question,
                basis(),
                at: Int64(number))
            #expect(kept.bytes <= limits.bytes)
        }
        let names = (0..<20).filter {
            let id = QuestionID(by: "anna", request: "q\($0)")
            return kept.answer(to: id, question, active: ["a"], at: 20) != nil
        }
        #expect(names == [16, 17, 18, 19])
        kept.keep([UInt8](repeating: 0, count: 20_000), of: id, question, basis(), at: 21)
        #expect(kept.count == 0 && kept.bytes == 0)
    }

    @Test("An answer that is kept again is the newer one, for as long as that")
    func again() {
        var kept = kept()
        kept.keep([9], of: id, question, basis(), at: 50_000)
        kept.dropOld(at: 70_000)
        #expect(answer(kept, at: 70_000) == [9])
        kept.dropOld(at: 110_000)
        #expect(kept.count == 0 && kept.bytes == 0)
    }
}
