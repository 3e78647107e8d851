import Messages
import Testing

@Suite("Questions on the wire")
struct QuestionWireTests {
    private func taken(_ query: ClientRequest.QueryRequest) throws -> PeerMessage {
        try PeerMessage(frames: ClientRequest.query(query).frames(id: "x"))
    }

    @Test("What brings neither history nor filter has the bytes that it always had, and an older client's is read")
    func older() throws {
        let json = #"{"query":{"_0":{"items":["i"],"top":3,"user":"u"}}}"#
        let query = ClientRequest.QueryRequest(user: "u", items: ["i"], top: 3)
        let frames = try ClientRequest.query(query).frames(id: "x")
        #expect(frames.last == Array(json.utf8))
        #expect(try PeerMessage(frames: frames) == .request(id: "x", .query(query)))
    }

    @Test("Of candidates that are to be chosen a question says how many, within bounds; an older one says nothing")
    func chosen() throws {
        for (ranking, bounds) in [
            (CatalogueRanking.usual, (WireLimits.ranked, 200)), (.whole(atMost: 7), (7, nil)),
            (.chosen(30, limit: nil), (nil, 30)), (.chosen(30, limit: 40), (40, 30)),
        ] as [(CatalogueRanking, (Int?, Int?))] {
            let query = ClientRequest.QueryRequest(user: "u", ranking: ranking, top: 3)
            #expect(query.limit == bounds.0 && query.candidates == bounds.1 && query.objection == nil)
            #expect(try taken(query) == .request(id: "x", .query(query)))
        }
        #expect(CatalogueRanking.usual.bounds(top: 300).candidates == 300)
        #expect(CatalogueRanking.usual.bounds(top: 1 << 20).candidates == WireLimits.chosen.upperBound)
        for count in [0, -1, WireLimits.chosen.upperBound + 1, .max] {
            #expect(throws: WireError.self) { try taken(.init(user: "u", ranking: .chosen(count, limit: nil), top: 3)) }
        }
        #expect(ClientRequest.QueryRequest(user: "u", items: ["i"], top: 3, candidates: 5).objection != nil)
    }

    @Test("What is forgotten is read from an older coordinator, and said to an older gateway as it always was")
    func olderForgets() throws {
        let older = #"{"adapters":[],"changesReferences":false,"items":[],"people":[1]}"#
        var inputs = ForgottenInputs(people: [1], items: [], adapters: [], changesReferences: false)
        #expect(try WireJSON.encode(inputs, kind: "test") == Array(older.utf8))
        #expect(try WireJSON.decode(ForgottenInputs.self, from: Array(older.utf8), kind: "test") == inputs)
        inputs.changesLikes = true
        let bytes = try WireJSON.encode(inputs, kind: "test")
        #expect(try WireJSON.decode(ForgottenInputs.self, from: bytes, kind: "test") == inputs)
    }

    @Test("Longer lists than may be, and numbers that are none, are refused")
    func bounds() throws {
        let long = Array(repeating: GivenRating(item: "i", rating: 1), count: WireLimits.history.upperBound)
        let most = Array(repeating: "i", count: WireLimits.candidates.upperBound)
        let conditions = (0..<WireLimits.conditions.upperBound).map { ItemFilter.Condition(field: "\($0)", minimum: 0) }
        _ = try taken(.init(user: "", items: [], top: 1, history: long, filter: .init(exclude: most)))
        _ = try taken(.init(user: "u", items: [], top: 1, filter: .init(conditions: conditions)))
        for query: ClientRequest.QueryRequest in [
            .init(user: "", items: [], top: 1, history: long + long.prefix(1)),
            .init(user: "u", items: [], top: 1, filter: .init(exclude: most + ["j"])),
            .init(user: "u", items: [], top: 1, filter: .init(conditions: conditions + conditions.prefix(1))),
        ] {
            #expect(throws: WireError.self) { try taken(query) }
        }
    }

    @Test("A question that nobody could answer says why")
    func objections() {
        func objection(_ history: [GivenRating]?, user: String = "", _ conditions: [ItemFilter.Condition] = []) -> Bool
        {
            ClientRequest.QueryRequest(
                user: user, items: [], top: 1, history: history, filter: ItemFilter(conditions: conditions)
            ).objection != nil
        }
        let (timed, untimed) = (GivenRating(item: "i", rating: 1, timestamp: 0), GivenRating(item: "i", rating: 1))
        #expect(!objection([]) && !objection([timed, timed]) && !objection([untimed]) && !objection(nil, user: "u"))
        #expect(objection([timed, untimed]) && objection([], user: "u"))
        #expect(objection([], [.init(field: "year")]) && objection([], [.init(field: "y", minimum: 2, maximum: 1)]))
        #expect(!objection([], [.init(field: "y", minimum: 1, maximum: 1)]))
    }

    @Test("A bound is of numbers; what is no number, or not there, does not pass")
    func conditions() {
        let fields = ["year": "1994", "genre": "Drama", "disc": "nan"]
        for (condition, holds): (ItemFilter.Condition, Bool) in [
            (.init(field: "genre", text: "Drama"), true), (.init(field: "genre", text: "drama"), false),
            (.init(field: "year", minimum: 1994, maximum: 1994), true), (.init(field: "year", maximum: 1993.5), false),
            (.init(field: "year", minimum: 1995), false), (.init(field: "disc", minimum: -1e300), false),
            (.init(field: "genre", minimum: 0), false), (.init(field: "brand", text: "x"), false),
            (.init(field: "brand", minimum: 0), false),
        ] {
            #expect(condition.holds(of: fields) == holds, "\(condition)")
        }
        #expect(!ItemFilter.Condition(field: "year", minimum: 0).holds(of: nil))
    }
}
