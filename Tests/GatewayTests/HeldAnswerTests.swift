import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing
import ZeroMQ

@testable import Gateway

@Suite("Answers that wait for their way out, and the check of each")
struct HeldAnswerTests {
    /// Takes no more once an answer is written, as the system's buffer does that is full.
    private final class FullAfterAnswer: ChannelOutboundHandler {
        typealias OutboundIn = HTTPResponsePart
        typealias OutboundOut = HTTPResponsePart

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            if case .end = unwrapOutboundIn(data) { (context.channel as? EmbeddedChannel)?.isWritable = false }
            context.write(data, promise: promise)
        }
    }

    /// One thread has all of it, as such a channel wants it.
    private struct Line {
        let channel: EmbeddedChannel
        let connection: ClientConnection
        let isRevoked = Locked(false)

        init(_ first: [any ChannelHandler] = []) throws {
            channel = EmbeddedChannel(handlers: first + [ClientConnection.Handler(), LastCheckHandler()])
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
            connection = try #require(ClientConnection.of(channel))
        }

        /// An answer's head that is made now, and goes out unless what it rests on is revoked by then.
        func checked() -> HTTPResponse {
            let passage = Passage()
            passage.require { [isRevoked] in isRevoked.withLock { $0 } ? .revoked : nil }
            var head = HTTPResponse(status: .ok)
            head.headerFields.passage = connection.expect(passage)
            return head
        }

        func revoke() { isRevoked.withLock { $0 = true } }

        func write(_ head: HTTPResponse, _ body: String, end: EventLoopPromise<Void>? = nil) {
            channel.write(HTTPResponsePart.head(head), promise: nil)
            channel.write(HTTPResponsePart.body(ByteBuffer(string: body)), promise: nil)
            channel.write(HTTPResponsePart.end(nil), promise: end)
            channel.flush()
        }

        func set(isWritable: Bool) {
            channel.isWritable = isWritable
            channel.pipeline.fireChannelWritabilityChanged()
        }

        /// What has gone out since the last look: statuses, the text of bodies that are no problem's, "end".
        func sent() throws -> [String] {
            var sent: [String] = []
            while let part = try channel.readOutbound(as: HTTPResponsePart.self) {
                switch part {
                case .head(let head):
                    #expect(head.headerFields.passage == nil)
                    sent.append(String(head.status.code))
                case .body(let buffer):
                    let text = String(buffer: buffer)
                    sent.append(text.hasPrefix("{") ? "problem" : text)
                case .end: sent.append("end")
                }
            }
            return sent
        }
    }

    private static let refusal = ["503", "problem", "end"]

    @Test("A check stays with its answer, also where that is made before the head of the one before is written")
    func ahead() throws {
        let line = try Line()
        let free = HTTPResponse(status: .accepted)
        let second = line.checked()
        line.revoke()
        line.write(free, "free")
        line.write(second, "second")
        #expect(try line.sent() == ["202", "free", "end"] + Self.refusal)
        _ = try line.channel.finish()
    }

    @Test("Of two that are made before either is written each has its own check, and one of the server's own has none")
    func several() throws {
        let line = try Line()
        let (first, second) = (line.checked(), line.checked())
        line.write(first, "first")
        line.write(HTTPResponse(status: .badRequest), "the server's own")
        line.revoke()
        line.write(second, "second")
        #expect(try line.sent() == ["200", "first", "end", "400", "the server's own", "end"] + Self.refusal)
        _ = try line.channel.finish()
    }

    @Test("An answer that is to pass what nobody knows does not go out")
    func unknown() throws {
        let line = try Line()
        let head = line.checked()
        line.write(head, "once")
        line.write(head, "twice")
        #expect(try line.sent() == ["200", "once", "end", "500", "problem", "end"])
        _ = try line.channel.finish()
    }

    @Test(
        "While the connection has no room an answer waits before its check, with all of its parts",
        arguments: [false, true])
    func held(isRevoked: Bool) throws {
        let line = try Line()
        let isWritten = Locked(false)
        let end = line.channel.eventLoop.makePromise(of: Void.self)
        end.futureResult.whenSuccess { isWritten.withLock { $0 = true } }
        line.set(isWritable: false)
        line.write(line.checked(), "late", end: end)
        line.channel.writeAndFlush(HTTPResponsePart.head(HTTPResponse(status: .continue)), promise: nil)
        #expect(try line.sent().isEmpty && !isWritten.withLock { $0 })
        if isRevoked { line.revoke() }
        line.set(isWritable: true)
        #expect(try line.sent() == (isRevoked ? Self.refusal : ["200", "late", "end"]) + ["100"])
        #expect(isWritten.withLock { $0 })
        _ = try line.channel.finish()
    }

    @Test("The rest of an answer whose head is out waits for nothing, and the next one for all of it")
    func streamed() throws {
        let line = try Line()
        line.channel.write(HTTPResponsePart.head(HTTPResponse(status: .ok)), promise: nil)
        line.set(isWritable: false)
        line.channel.write(HTTPResponsePart.body(ByteBuffer(string: "stream")), promise: nil)
        line.channel.write(HTTPResponsePart.end(nil), promise: nil)
        line.channel.flush()
        line.write(line.checked(), "next")
        #expect(try line.sent() == ["200", "stream", "end"])
        line.set(isWritable: true)
        #expect(try line.sent() == ["200", "next", "end"])
        _ = try line.channel.finish()
    }

    @Test("Of several that wait one goes out at a time, as there is room, and each is looked at then")
    func turns() throws {
        let line = try Line([FullAfterAnswer()])
        line.write(line.checked(), "first")
        line.write(line.checked(), "second")
        line.write(line.checked(), "third")
        #expect(try line.sent() == ["200", "first", "end"])
        line.set(isWritable: true)
        #expect(try line.sent() == ["200", "second", "end"])
        line.revoke()
        line.set(isWritable: true)
        #expect(try line.sent() == Self.refusal)
        _ = try line.channel.finish()
    }

    @Test("The output's end comes after what waits, and a closed connection tells whoever wrote")
    func closing() throws {
        let ended = try Line()
        ended.set(isWritable: false)
        ended.write(ended.checked(), "last")
        ended.channel.close(mode: .output, promise: nil)
        #expect(try ended.sent().isEmpty && ended.channel.isActive)
        ended.set(isWritable: true)
        #expect(try ended.sent() == ["200", "last", "end"])
        #expect(!ended.channel.isActive)

        let closed = try Line()
        let failure = Locked<ChannelError?>(nil)
        let end = closed.channel.eventLoop.makePromise(of: Void.self)
        end.futureResult.whenFailure { error in failure.withLock { $0 = error as? ChannelError } }
        closed.set(isWritable: false)
        closed.write(closed.checked(), "never", end: end)
        closed.channel.close(promise: nil)
        #expect(failure.withLock { $0 } == .ioOnClosedChannel)
        #expect(try closed.sent().isEmpty)
    }
}
