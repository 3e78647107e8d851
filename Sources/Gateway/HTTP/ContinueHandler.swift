import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Lets a client go on that asks, before it sends a body, whether it should: `Expect: 100-continue` (RFC 9110, 10.1.1), as curl
/// does for what is larger than a mebibyte. Without a word such a client waits for a second or longer, some of them for ever.
///
/// What is refused by its head alone (no token, another kind of body) is refused at once, and the body is never sent: so the word
/// comes a little later. What comes next on the connection of somebody who was refused so could be that body or another request,
/// so the answer says that the connection ends (RFC 9110, 10.1.1), and it does.
final class ContinueHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// From the head to the word.
    static let pause = TimeAmount.milliseconds(50)

    private static let expect = HTTPField.Name("Expect")

    private var word: Scheduled<Void>?
    /// Requests whose answer is not over. A client may send the next one before that: the word for it would get into the middle of
    /// the answer before, so there is none, and it waits as it would without this.
    private var open = 0
    /// The answer under way is the last one.
    private var isLast = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        stop()
        if case .head(let head) = unwrapInboundIn(data) {
            open += 1
            if open == 1, Self.isAsked(by: head) {
                let channel = context.channel
                word = context.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) { [self] in
                    word = nil
                    channel.writeAndFlush(HTTPResponsePart.head(HTTPResponse(status: .continue)), promise: nil)
                }
            }
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(var head):
            isLast = word != nil
            stop()
            guard isLast else { break }
            head.headerFields[.connection] = "close"
            return context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .body: break
        case .end:
            open = max(0, open - 1)
            guard isLast else { break }
            let channel = context.channel
            let written = promise ?? context.eventLoop.makePromise()
            written.futureResult.whenComplete { _ in channel.close(promise: nil) }
            return context.write(data, promise: written)
        }
        context.write(data, promise: promise)
    }

    func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { stop() }

    private func stop() {
        word?.cancel()
        word = nil
    }

    private static func isAsked(by head: HTTPRequest) -> Bool {
        expect.flatMap { head.headerFields[$0] }?.lowercased() == "100-continue"
    }
}
