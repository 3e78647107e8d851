import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Serving
import Testing
import ZeroMQ

@testable import Gateway

@Suite("The last look at an answer, when it goes out")
struct LastCheckTests {
    private typealias Sent = (heads: [HTTPResponse], body: String, ends: Int)

    /// What goes out over a connection for these answers. All on one thread, as such a channel wants it.
    private func sent(_ answers: [(response: Response, body: String, passage: Passage?)]) throws -> Sent {
        let channel = EmbeddedChannel(handlers: [ClientConnection.Handler(), LastCheckHandler()])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let connection = try #require(ClientConnection.of(channel))
        var sent: Sent = ([], "", 0)
        for (response, body, passage) in answers {
            var head = response.head
            head.headerFields.passage = passage.map { connection.expect($0) }
            head.headerFields[.date] = "today"
            try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .continue)))
            try channel.writeOutbound(HTTPResponsePart.head(head))
            try channel.writeOutbound(HTTPResponsePart.body(ByteBuffer(string: body)))
            try channel.writeOutbound(HTTPResponsePart.end(nil))
        }
        while let part = try channel.readOutbound(as: HTTPResponsePart.self) {
            switch part {
            case .head(let head) where head.status == .continue: break
            case .head(let head): sent.heads.append(head)
            case .body(let buffer): sent.body += String(buffer: buffer)
            case .end: sent.ends += 1
            }
        }
        _ = try channel.finish()
        return sent
    }

    @Test("An answer that was revoked after its body was made, and before its head is written, is a 503 in its place")
    func revoked() async throws {
        let isRevoked = Locked(false)
        let gateway = try TestGateway(FakeCoordinator(check: { isRevoked.withLock { $0 } ? .revoked : nil }))
        let request = TestGateway.call(.post, "/v1/rank", #"{"user":"ada","candidates":["i1"]}"#).request
        let connection = ClientConnection()
        func answer() async throws -> (Response, String, Passage?) {
            let response = await gateway.responder.answer(request, over: connection)
            #expect(response.status == .ok)
            let number = try #require(response.headers.passage)
            let passage = try #require(connection.takePassage(number))
            return (response, "i1 before all others", passage)
        }

        var out = try sent([try await answer()])
        #expect(out.heads.map(\.status.code) == [200] && out.body == "i1 before all others" && out.ends == 1)
        #expect(out.heads.first?.headerFields.passage == nil)
        #expect(gateway.metrics.now.withheld == 0)

        let late = try await answer()
        isRevoked.withLock { $0 = true }
        out = try sent([late])
        let head = try #require(out.heads.first)
        #expect(out.heads.count == 1 && head.status.code == 503 && out.ends == 1)
        #expect(!out.body.contains("i1 before all others") && out.body.contains("urn:lethe:problem:revoked"))
        #expect(head.headerFields[.contentLength] == String(out.body.utf8.count))
        #expect(head.headerFields[.contentType] == Problem.mediaType && head.headerFields[.retryAfter] == "1")
        #expect(head.headerFields[.date] == "today" && head.headerFields.passage == nil)
        // Counted as what went out.
        #expect(gateway.metrics.now.withheld == 1)
        #expect(gateway.metrics.now.requests == [Self.ranked(200): 1, Self.ranked(503): 1])
        #expect(gateway.metrics.now.durations["/v1/rank"]?.count == 2)
    }

    private static func ranked(_ status: Int) -> Metrics.Key {
        Metrics.Key(method: "POST", route: "/v1/rank", status: status)
    }

    @Test("An answer whose connection is closed before it goes out is counted as it was made")
    func unwritten() async throws {
        let gateway = try TestGateway(FakeCoordinator(check: { .revoked }))
        let request = TestGateway.call(.post, "/v1/rank", #"{"user":"ada"}"#).request
        _ = await gateway.responder.answer(request, over: ClientConnection())
        // Whoever made it may let go of it a little later.
        for _ in 0..<2000 where gateway.metrics.now.requests.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        #expect(gateway.metrics.now.requests == [Self.ranked(200): 1] && gateway.metrics.now.withheld == 0)
    }

    @Test("What one answer was refused for does not concern the next one, and a word to go on is no answer")
    func one() throws {
        let out = try sent([
            (Response(status: .ok), "first", passage(.revoked)), (Response(status: .ok), "second", nil),
        ])
        #expect(out.heads.map(\.status.code) == [503, 200])
        #expect(!out.body.contains("first") && out.body.hasSuffix("second") && out.ends == 2)
    }

    @Test("Where nobody writes to a connection, the look is the responder's last step")
    func unconnected() async throws {
        let gateway = try TestGateway(FakeCoordinator(check: { .noLease }))
        let answer = try await gateway.ask(.post, "/v1/rank", #"{"user":"ada"}"#)
        #expect(answer.status == 503 && answer.problem == "no-lease")
        #expect(gateway.metrics.now.requests == [Self.ranked(503): 1] && gateway.metrics.now.withheld == 1)
    }

    @Test("A permit has an objection once what its answer rests on is revoked, or the lease has run out")
    func permits() {
        let lease = LeaseTime()
        let basis = AnswerBasis(person: 1, items: [], adapters: [], looksAtReferences: false, prompts: 1)
        let permit = AnswerPermit(basis, lease)
        #expect(permit.objection == .noLease)
        lease.set(.max)
        #expect(permit.objection == nil && permit.objection == nil)
        permit.revoke(nil)
        #expect(permit.objection == .revoked)
    }

    private func passage(_ problem: Problem) -> Passage {
        let passage = Passage()
        passage.require { problem }
        return passage
    }
}
