import HTTPTypes
import Hummingbird
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing

@testable import Gateway

@Suite("Bodies that come slowly")
struct BodyPaceTests {
    private func connection() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(handler: BodyPaceHandler(limit: .seconds(60)))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    private func begin(_ channel: EmbeddedChannel) throws {
        let head = HTTPRequest(method: .post, scheme: "http", authority: "localhost", path: "/v1/rank")
        try channel.writeInbound(HTTPRequestPart.head(head))
    }

    /// Nothing is left for the channel to keep.
    private func send(_ bytes: Int, _ channel: EmbeddedChannel) throws {
        try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(repeating: 0x20, count: bytes)))
        while try channel.readInbound(as: HTTPRequestPart.self) != nil {}
    }

    private func pass(_ seconds: Int64, _ channel: EmbeddedChannel) {
        channel.embeddedEventLoop.advanceTime(by: .seconds(seconds))
    }

    private func expectSlow(_ channel: EmbeddedChannel) {
        #expect(throws: Problem.slowBody) { try channel.throwIfErrorCaught() }
    }

    @Test func `A byte now and then keeps no body alive: whoever reads it hears so, then the connection ends`() throws {
        let channel = try connection()
        try begin(channel)
        for _ in 0..<59 {
            channel.read()
            pass(1, channel)
            try send(1, channel)
        }
        channel.read()
        try channel.throwIfErrorCaught()
        pass(1, channel)
        expectSlow(channel)
        #expect(channel.isActive)
        pass(60, channel)
        #expect(!channel.isActive)
    }

    @Test func `Every mebibyte has the whole time, however many there are, and the end of the body ends it`() throws {
        let channel = try connection()
        for _ in 0..<2 {
            try begin(channel)
            for _ in 0..<20 {
                channel.read()
                pass(59, channel)
                try send(BodyPaceHandler.step, channel)
            }
            channel.read()
            pass(59, channel)
            try channel.writeInbound(HTTPRequestPart.end(nil))
            channel.read()
            pass(1000, channel)
            try channel.throwIfErrorCaught()
            #expect(channel.isActive)
            while try channel.readInbound(as: HTTPRequestPart.self) != nil {}
        }
        channel.close(promise: nil)
        channel.embeddedEventLoop.run()
    }

    @Test func `Time in which nobody here takes more is not the client's`() throws {
        let channel = try connection()
        try begin(channel)
        pass(1000, channel)
        channel.read()
        pass(40, channel)
        try send(10, channel)
        pass(1000, channel)
        channel.read()
        pass(19, channel)
        try channel.throwIfErrorCaught()
        pass(1, channel)
        expectSlow(channel)
        pass(60, channel)
        #expect(!channel.isActive)
    }

    @Test(arguments: [("/v1/rank", "application/json"), ("/v1/interactions", "application/x-ndjson")])
    func `The answer is a 408 with which the connection ends, and an import's place is free again`(
        path: String, kind: String
    ) async throws {
        var limits = GatewayLimits()
        limits.imports = 1
        let gateway = try TestGateway(limits: limits)
        for _ in 0..<2 {
            var head = HTTPRequest(method: .post, scheme: "http", authority: "localhost", path: path)
            head.headerFields[.contentType] = kind
            let (chunks, sender) = AsyncThrowingStream<ByteBuffer, any Error>.makeStream()
            sender.yield(ByteBuffer(string: "{"))
            sender.finish(throwing: Problem.slowBody)
            let answer = await gateway.responder.answer(
                Request(head: head, body: RequestBody(asyncSequence: chunks)), over: nil)
            #expect(answer.status.code == 408 && answer.headers[.connection] == "close")
        }
    }
}
