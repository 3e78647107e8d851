import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing

@testable import Gateway

@Suite("Clients that ask before they send a body")
struct ContinueTests {
    private func connection() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(handler: ContinueHandler())
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    private func begin(_ channel: EmbeddedChannel, expecting: String? = "100-continue") throws {
        var head = HTTPRequest(method: .post, scheme: "http", authority: "localhost", path: "/v1/interactions")
        if let expecting, let name = HTTPField.Name("Expect") { head.headerFields[name] = expecting }
        try channel.writeInbound(HTTPRequestPart.head(head))
    }

    /// Statuses that went out after so much time.
    private func statuses(_ channel: EmbeddedChannel, after time: TimeAmount) throws -> [Int] {
        channel.embeddedEventLoop.advanceTime(by: time)
        var found: [Int] = []
        while let part = try channel.readOutbound(as: HTTPResponsePart.self) {
            if case .head(let head) = part { found.append(head.status.code) }
        }
        return found
    }

    @Test("One that is not refused is told to go on, once", arguments: ["100-continue", "100-Continue"])
    func asked(expectation: String) throws {
        let channel = try connection()
        try begin(channel, expecting: expectation)
        #expect(try statuses(channel, after: .zero) == [])
        #expect(try statuses(channel, after: ContinueHandler.pause) == [100])
        try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: "{}")))
        try channel.writeInbound(HTTPRequestPart.end(nil))
        #expect(try statuses(channel, after: .seconds(60)) == [])
    }

    @Test("One that is refused meanwhile gets the refusal alone, is told that the connection ends with it, and it does")
    func refused() throws {
        let channel = try connection()
        try begin(channel)
        try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .unauthorized)))
        #expect(channel.isActive)
        try channel.writeOutbound(HTTPResponsePart.end(nil))
        guard case .head(let head)? = try channel.readOutbound(as: HTTPResponsePart.self) else {
            Issue.record("no answer")
            return
        }
        #expect(head.status == .unauthorized && head.headerFields[.connection] == "close" && !channel.isActive)
        #expect(try statuses(channel, after: .seconds(60)) == [])
    }

    @Test("Whoever was told to go on, or sent its body, keeps the connection whatever the answer is")
    func kept() throws {
        for isTold in [true, false] {
            let channel = try connection()
            try begin(channel)
            #expect(try statuses(channel, after: isTold ? ContinueHandler.pause : .zero) == (isTold ? [100] : []))
            try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: "{")))
            try channel.writeInbound(HTTPRequestPart.end(nil))
            try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .badRequest)))
            try channel.writeOutbound(HTTPResponsePart.end(nil))
            guard case .head(let head)? = try channel.readOutbound(as: HTTPResponsePart.self) else {
                Issue.record("no answer")
                return
            }
            #expect(head.status == .badRequest && head.headerFields[.connection] == nil && channel.isActive)
        }
    }

    @Test("One that sends its body without waiting, or asked nothing, is told nothing")
    func impatient() throws {
        let channel = try connection()
        try begin(channel)
        try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(string: "{}")))
        #expect(try statuses(channel, after: .seconds(60)) == [])
        try channel.writeInbound(HTTPRequestPart.end(nil))
        for other in [nil, "200-ok"] {
            try answer(channel)
            try begin(channel, expecting: other)
            try channel.writeInbound(HTTPRequestPart.end(nil))
            #expect(try statuses(channel, after: .seconds(60)) == [200])
        }
    }

    @Test("A second request that comes before the first one's answer is over gets no word in the middle of it")
    func pipelined() throws {
        let channel = try connection()
        try begin(channel, expecting: nil)
        try channel.writeInbound(HTTPRequestPart.end(nil))
        try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .ok)))
        try begin(channel)
        #expect(try statuses(channel, after: .seconds(60)) == [200])
        try channel.writeOutbound(HTTPResponsePart.end(nil))
        try answer(channel)
        try begin(channel)
        #expect(try statuses(channel, after: .seconds(60)) == [200, 100])
    }

    private func answer(_ channel: EmbeddedChannel) throws {
        try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .ok)))
        try channel.writeOutbound(HTTPResponsePart.end(nil))
    }
}
