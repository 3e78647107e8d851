import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing

@testable import Gateway

@Suite("Bodies that nobody reads")
struct UnreadBodyTests {
    private static let limit = TimeAmount.seconds(30)

    private func connection() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(handler: UnreadBodyHandler(limit: Self.limit))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    private func send(_ part: HTTPRequestPart, _ channel: EmbeddedChannel) throws { try channel.writeInbound(part) }

    private func begin(_ channel: EmbeddedChannel) throws {
        let head = HTTPRequest(method: .post, scheme: "http", authority: "localhost", path: "/v1/rank")
        try send(.head(head), channel)
    }

    private func answer(_ status: HTTPResponse.Status, _ channel: EmbeddedChannel) throws {
        try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: status)))
        try channel.writeOutbound(HTTPResponsePart.end(nil))
    }

    private func pass(_ seconds: Int64, _ channel: EmbeddedChannel) {
        channel.embeddedEventLoop.advanceTime(by: .seconds(seconds))
    }

    @Test("Who was refused and goes on sending, however slowly, is closed after the limit")
    func slow() throws {
        let channel = try connection()
        try begin(channel)
        try send(.body(ByteBuffer(string: "a")), channel)
        try answer(.unauthorized, channel)
        for _ in 0..<29 {
            pass(1, channel)
            try send(.body(ByteBuffer(string: "a")), channel)
        }
        #expect(channel.isActive)
        pass(1, channel)
        #expect(!channel.isActive)
    }

    @Test("Who sends the rest in time keeps the connection, and the next request has its own time")
    func quick() throws {
        let channel = try connection()
        for _ in 0..<3 {
            try begin(channel)
            try answer(.unauthorized, channel)
            pass(20, channel)
            try send(.end(nil), channel)
            pass(100, channel)
            #expect(channel.isActive)
        }
        try begin(channel)
        try answer(.contentTooLarge, channel)
        pass(31, channel)
        #expect(!channel.isActive)
    }

    @Test("A body that is read, and an answer that takes long, have all the time that they need")
    func read() throws {
        let channel = try connection()
        try begin(channel)
        for _ in 0..<50 {
            pass(10, channel)
            try send(.body(ByteBuffer(string: "a")), channel)
        }
        try send(.end(nil), channel)
        try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .ok)))
        pass(1000, channel)
        try channel.writeOutbound(HTTPResponsePart.end(nil))
        pass(1000, channel)
        #expect(channel.isActive)
        _ = try channel.finish()
    }

    @Test("A body that comes while an earlier request is answered is another one's: it has all the time that it needs")
    func pipelined() throws {
        let channel = try connection()
        try begin(channel)
        try send(.end(nil), channel)
        try begin(channel)
        try answer(.ok, channel)
        for _ in 0..<50 {
            try send(.body(ByteBuffer(string: "a")), channel)
            pass(10, channel)
        }
        #expect(channel.isActive)
        try send(.end(nil), channel)
        try answer(.ok, channel)
        pass(100, channel)
        #expect(channel.isActive)
        // Two that wait, and a third whose body goes on after its own answer.
        for _ in 0..<2 {
            try begin(channel)
            try send(.end(nil), channel)
        }
        try begin(channel)
        for _ in 0..<2 { try answer(.ok, channel) }
        pass(100, channel)
        #expect(channel.isActive)
        try answer(.unauthorized, channel)
        pass(31, channel)
        #expect(!channel.isActive)
    }

    @Test("An answer that is the last one ends the connection, after the body that is under way if that ends in time")
    func last() throws {
        for isUnderWay in [false, true] {
            let channel = try connection()
            try begin(channel)
            if !isUnderWay { try send(.end(nil), channel) }
            let head = HTTPResponse(status: .unauthorized, headerFields: [.connection: "close"])
            try channel.writeOutbound(HTTPResponsePart.head(head))
            #expect(channel.isActive)
            try channel.writeOutbound(HTTPResponsePart.end(nil))
            #expect(channel.isActive == isUnderWay)
            if isUnderWay { try send(.end(nil), channel) }
            #expect(!channel.isActive)
        }
    }
}
