import LanguageModels
import Messages
import Recommendation
import Serving
import Testing
import Unlearning

/// Transcripts: what a gateway does, in words, when this and that happens.
@Suite struct LeasedQuestionsTests {
    private static let layout = AdapterLayout(
        model: ModelConfiguration(
            family: .llama, vocabulary: 16, hidden: 8, layers: 1, heads: 1, keyValueHeads: 1, headDimension: 8,
            intermediate: 8, context: 128, ropeTheta: 10_000, rmsNormEpsilon: 1e-5, tiedEmbeddings: true,
            attentionBias: false), configuration: LoRAConfiguration(rank: 1))
    private let question = ClientRequest.QueryRequest(user: "u", items: ["i"], top: nil)
    private let id = QuestionID(by: "", request: "q")

    private func material(
        person: Int64 = 1, adapters: [String] = ["a", "b"], attention: String? = nil,
        retrieval: Retrieval? = nil
    ) -> QuestionMaterial {
        QuestionMaterial(
            person: person, user: "u", history: [], titles: [:], items: [Item(id: "i", title: "Item")],
            prompts: PromptConfiguration(),
            members: adapters.enumerated().map { .init(shard: $0.offset, name: $0.element, exact: true) },
            parameters: .init(tau: 0, neighbours: 1), attention: attention, absentShards: [], rule: .nonDecomposed,
            embedding: EmbeddingSource(layer: 1, pooling: .mean), whenNoAdapter: .base,
            retrieval: retrieval)
    }

    private func dated(_ material: QuestionMaterial, _ version: UInt64 = 0) -> Result<DatedMaterial, ClientError> {
        .success(DatedMaterial(run: "run", version: version, material: material))
    }

    private func reply(_ adapters: [String]) -> Result<QueryReply, ClientError> {
        .success(
            QueryReply(
                user: "u", items: [], adapters: adapters.map { .init(shard: 0, name: $0, weight: 1) },
                absentShards: [], rule: .nonDecomposed, attention: "equal", exact: true, seconds: 0))
    }

    private func revocation(
        _ version: UInt64, people: Set<Int64> = [], adapters: Set<String> = [], references: Bool = false,
        likes: Bool? = nil
    ) -> Revocation {
        Revocation(
            run: "run", version: version,
            inputs: ForgottenInputs(
                people: people, items: [], adapters: adapters, changesReferences: references, changesLikes: likes))
    }

    private func words(_ actions: [LeasedQuestions.Action]) -> [String] {
        actions.map { action in
            switch action {
            case .lease(let request): request.obeyed.map { "obeys \($0.version)" } ?? "holds nothing"
            case .collect(let number, _): "collect \(number)"
            case .fetchAdapter(let name): "fetch \(name)"
            case .fetchAttention(let digest): "fetch rows \(digest)"
            case .engine(.begin(let number, _, _)): "compute \(number)"
            case .engine(.drop(let number)): "drop \(number)"
            case .engine(.hold(let name, _)): "hold \(name)"
            case .engine(.forget): "forget"
            case .engine(.letGo): "let go"
            case .obey: "revoke answers"
            case .letGo: "revoke all answers"
            case .answer(_, .success(let reply), _): "answer from \(reply.adapters.map(\.name))"
            case .answer(_, .failure(let error), _): "answer \(error.code)"
            }
        }
    }

    /// With a lease, and one question that is computed.
    private func computing() -> LeasedQuestions {
        var questions = LeasedQuestions(layout: Self.layout)
        _ = questions.tick(at: 0)
        _ = questions.granted(LeaseGrant(number: 1, run: "run", version: 0, milliseconds: 3000), at: 1)
        _ = questions.ask(id, question, by: .key(""), at: 2)
        _ = questions.collected(1, dated(material()), at: 3)
        _ = questions.fetched(adapter: "a", .success([]), at: 4)
        _ = questions.fetched(adapter: "b", .success([]), at: 5)
        return questions
    }

    @Test func `From a question to its answer; adapters are fetched once`() {
        var questions = LeasedQuestions(layout: Self.layout)
        #expect(words(questions.ask(id, question, by: .key(""), at: 0)) == [])
        #expect(words(questions.tick(at: 0)) == ["holds nothing"])
        let grant = LeaseGrant(number: 1, run: "run", version: 0, milliseconds: 3000)
        #expect(words(questions.granted(grant, at: 1)) == ["collect 1"])
        #expect(words(questions.collected(1, dated(material()), at: 2)) == ["fetch a", "fetch b"])
        #expect(words(questions.fetched(adapter: "a", .success([]), at: 3)) == ["hold a"])
        #expect(words(questions.fetched(adapter: "b", .success([]), at: 4)) == ["hold b", "compute 1"])
        #expect(words(questions.take(.answered(1, reply(["a", "b"])), at: 5)) == [#"answer from ["a", "b"]"#])
        #expect(words(questions.ask(id, question, by: .key(""), at: 6)) == ["collect 2"])
        #expect(words(questions.collected(2, dated(material()), at: 7)) == ["compute 2"])
    }

    @Test func `A question whose adapter is revoked begins again, after it was let go and before that is confirmed`() {
        var questions = computing()
        #expect(
            words(questions.revoked(revocation(1, adapters: ["a"]), at: 10)) == [
                "revoke answers", "drop 1", "collect 2", "forget", "obeys 1",
            ])
        // Late.
        #expect(words(questions.take(.answered(1, reply(["a", "b"])), at: 11)) == [])
        #expect(words(questions.collected(2, dated(material(adapters: ["b"]), 1), at: 12)) == ["compute 2"])
    }

    @Test func `What a revocation does not touch is computed on`() {
        var questions = computing()
        #expect(
            words(questions.revoked(revocation(1, people: [2], adapters: ["c"], references: true), at: 10)) == [
                "revoke answers", "forget", "obeys 1",
            ])
        #expect(words(questions.take(.answered(1, reply(["a", "b"])), at: 11)) == [#"answer from ["a", "b"]"#])
    }

    @Test func `Candidates that were chosen by likes are let go with them, before that is confirmed`() {
        let chosen = Retrieval(candidates: 1, of: 9, likedTogether: 1, popular: 0, others: 0)
        var questions = computing()
        #expect(
            words(questions.revoked(revocation(1, people: [2], likes: true), at: 10)) == [
                "revoke answers", "forget", "obeys 1",
            ])
        _ = questions.take(.answered(1, reply(["a", "b"])), at: 11)
        _ = questions.ask(id, question, by: .key(""), at: 12)
        #expect(words(questions.collected(2, dated(material(retrieval: chosen), 1), at: 13)) == ["compute 2"])
        #expect(
            words(questions.revoked(revocation(2, people: [2], likes: true), at: 14)) == [
                "revoke answers", "drop 2", "collect 3", "forget", "obeys 2",
            ])
    }

    @Test func `Material of before a revocation is asked for again`() {
        var questions = LeasedQuestions(layout: Self.layout)
        _ = questions.tick(at: 0)
        _ = questions.granted(LeaseGrant(number: 1, run: "run", version: 0, milliseconds: 3000), at: 1)
        #expect(words(questions.ask(id, question, by: .key(""), at: 2)) == ["collect 1"])
        _ = questions.revoked(revocation(1, people: [1]), at: 3)
        #expect(words(questions.collected(1, dated(material()), at: 4)) == ["collect 1"])
        let unknown = ClientError(code: .unknownUser, message: "no user u")
        #expect(words(questions.collected(1, .failure(unknown), at: 5)) == ["answer unknown-user"])
    }

    @Test func `An answer that is ready without a lease waits for one, and is not given if it was revoked meanwhile`() {
        var questions = computing()
        var other = questions
        #expect(words(questions.take(.answered(1, reply(["a", "b"])), at: 4000)) == [])
        _ = questions.tick(at: 4000)
        let grant = LeaseGrant(number: 2, run: "run", version: 0, milliseconds: 3000)
        #expect(words(questions.granted(grant, at: 4001)) == [#"answer from ["a", "b"]"#])

        _ = other.take(.answered(1, reply(["a", "b"])), at: 4000)
        #expect(words(other.revoked(revocation(1, people: [1]), at: 4001)) == ["revoke answers", "forget", "obeys 1"])
        #expect(
            words(other.granted(LeaseGrant(number: 2, run: "run", version: 1, milliseconds: 3000), at: 4002)) == [
                "collect 2"
            ])
    }

    @Test func `A gap lets everything go: adapters, rows, what is computed and what was not sent`() {
        var questions = computing()
        #expect(
            words(questions.revoked(revocation(5), at: 10)) == [
                "revoke all answers", "drop 1", "let go", "holds nothing",
            ])
        let grant = LeaseGrant(number: 2, run: "run", version: 5, milliseconds: 3000)
        #expect(words(questions.granted(grant, at: 11)) == ["collect 2"])
        #expect(words(questions.collected(2, dated(material(), 5), at: 12)) == ["fetch a", "fetch b"])
    }

    @Test func `An adapter that comes after its revocation is not held`() {
        var questions = LeasedQuestions(layout: Self.layout)
        _ = questions.tick(at: 0)
        _ = questions.granted(LeaseGrant(number: 1, run: "run", version: 0, milliseconds: 3000), at: 1)
        _ = questions.ask(id, question, by: .key(""), at: 2)
        _ = questions.collected(1, dated(material(adapters: ["a"])), at: 3)
        _ = questions.revoked(revocation(1, adapters: ["a"]), at: 4)
        #expect(words(questions.fetched(adapter: "a", .success([]), at: 5)) == [])
    }

    @Test func `Reference rows are fetched by their name, and let go when a forget changes them`() {
        var questions = LeasedQuestions(layout: Self.layout)
        _ = questions.tick(at: 0)
        _ = questions.granted(LeaseGrant(number: 1, run: "run", version: 0, milliseconds: 3000), at: 1)
        _ = questions.ask(id, question, by: .key(""), at: 2)
        let wanted = material(adapters: [], attention: "rows")
        #expect(words(questions.collected(1, dated(wanted), at: 3)) == ["fetch rows rows"])
        #expect(words(questions.fetched(attention: "rows", .success(.empty), at: 4)) == ["compute 1"])
        #expect(
            words(questions.revoked(revocation(1, references: true), at: 5)) == [
                "revoke answers", "drop 1", "collect 2", "forget", "obeys 1",
            ])
        #expect(words(questions.collected(2, dated(wanted, 1), at: 6)) == ["fetch rows rows"])
    }

    @Test func `Nobody waits any more: nothing is answered`() {
        var questions = computing()
        #expect(words(questions.abandon(id, at: 10)) == ["drop 1"])
        #expect(words(questions.take(.answered(1, reply(["a"])), at: 11)) == [])
    }

    @Test func `What the coordinator does not answer is asked again`() {
        var questions = LeasedQuestions(layout: Self.layout)
        _ = questions.tick(at: 0)
        _ = questions.granted(LeaseGrant(number: 1, run: "run", version: 0, milliseconds: 3000), at: 1)
        _ = questions.ask(id, question, by: .key(""), at: 2)
        for second in 1...5 {
            let now = Int64(second) * 1000
            _ = questions.tick(at: now)
            let grant = LeaseGrant(number: UInt64(second) + 1, run: "run", version: 0, milliseconds: 3000)
            _ = questions.granted(grant, at: now)
        }
        #expect(words(questions.tick(at: 2 + LeasedQuestions.collecting)).contains("collect 1"))
    }
}
