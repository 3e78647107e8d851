import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Testing

@testable import Gateway

@Suite("Bodies of all connections together")
struct BodyBudgetTests {
    /// Of so many bytes.
    private static func question(_ bytes: Int) -> String {
        #"{"user":"ada","candidates":["i1"]"# + String(repeating: " ", count: bytes - 34) + "}"
    }

    @Test func `The beginning of each is not counted, the rest is bounded, and is given back`() throws {
        let budget = BodyBudget(limit: 1000)
        let free = BodyBudget.free
        var first: BodyBudget.Share? = budget.share(of: "anna")
        let (second, third) = (budget.share(of: "ben"), budget.share(of: "cleo"))
        try first?.hold(10)
        try first?.hold(free + 400)
        // Of the whole body so far, not of a piece.
        try first?.hold(free + 500)
        try second.hold(free + 400)
        try third.hold(free + 100)
        #expect(throws: Problem.tooManyBodies) { try third.hold(free + 101) }
        try third.hold(free)
        try budget.share(of: "dora").hold(free)
        withExtendedLifetime(first) {}
        first = nil
        try third.hold(free + 500)
        withExtendedLifetime(second) {}
    }

    @Test func `Half of the room is the most that one asker has, in however many bodies`() throws {
        let budget = BodyBudget(limit: 1000)
        let free = BodyBudget.free
        var shares = (0..<5).map { _ in budget.share(of: "flood") }
        for share in shares { try share.hold(free + 100) }
        let more = budget.share(of: "flood")
        #expect(throws: Problem.tooManyBodies) { try more.hold(free + 1) }
        let other = budget.share(of: "anna")
        try other.hold(free + 500)
        withExtendedLifetime(shares) {}
        shares = []
        // Not what others leave either.
        #expect(throws: Problem.tooManyBodies) { try budget.share(of: "anna").hold(free + 1) }
        try more.hold(free + 500)
        withExtendedLifetime(other) {}
    }

    @Test func `While large bodies take all the room another large one is refused, a small one is not`() async throws {
        var limits = GatewayLimits()
        // One asker's half has room for one.
        limits.bodies = 200_000
        let gateway = try TestGateway(limits: limits)
        var head = HTTPRequest(method: .post, scheme: "http", authority: "localhost", path: "/v1/rank")
        head.headerFields[.contentType] = "application/json"
        let (chunks, sender) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
        let request = Request(head: head, body: RequestBody(asyncSequence: chunks))
        let slow = Task { await gateway.responder.answer(request, over: nil).status.code }
        let large = Self.question(150_000)
        sender.yield(ByteBuffer(string: String(large.dropLast())))
        // Until the beginning of the slow one was taken, there is room.
        var status = 200
        for _ in 0..<2000 where status == 200 {
            try await Task.sleep(for: .milliseconds(5))
            status = try await gateway.ask(.post, "/v1/rank", large).status
        }
        #expect(status == 429)
        #expect(try await gateway.ask(.post, "/v1/rank", large).headers[.retryAfter] == "1")
        #expect(try await gateway.ask(.post, "/v1/rank", Self.question(1000)).status == 200)
        sender.yield(ByteBuffer(string: "}"))
        sender.finish()
        #expect(await slow.value == 200)
        #expect(try await gateway.ask(.post, "/v1/rank", large).status == 200)
    }

    @Test func `A large body is parsed like a small one, well or ill`() async throws {
        let gateway = try TestGateway()
        for bytes in [100, 1_000_000] {
            let answer = try await gateway.ask(.post, "/v1/rank", Self.question(bytes))
            #expect(answer.status == 200 && answer.json["user"] as? String == "ada")
            let broken = try await gateway.ask(.post, "/v1/rank", String(Self.question(bytes).dropLast()))
            #expect(broken.status == 400 && broken.problem == "malformed-request")
        }
    }

    @Test func `Users times items that are named for each are bounded`() async throws {
        let gateway = try TestGateway()
        func status(_ users: Int, _ candidates: Int, excluded: Int = 0) async throws -> Int {
            func list(_ count: Int, _ name: (Int) -> String) -> String {
                "[" + (0..<count).map { "\"\(name($0))\"" }.joined(separator: ",") + "]"
            }
            let body =
                #"{"users":\#(list(users) { $0 == 0 ? "ada" : "ben" }),"candidates":\#(list(candidates) { "i\($0)" })"#
                + (excluded > 0 ? #","exclude":\#(list(excluded) { "x\($0)" })"# : "") + "}"
            return try await gateway.ask(.post, "/v1/rank", body).status
        }
        #expect(try await status(10, 10_000) == 200)
        #expect(try await status(11, 10_000) == 422)
        #expect(try await status(100, 1000) == 200)
        #expect(try await status(100, 1000, excluded: 1) == 422)
    }
}
