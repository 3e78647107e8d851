import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Lets a client go on that asks, before it sends a body, whether it should: `Expect: 100-continue` (RFC 9110, 10.1.1), as curl
/// does for what is larger than a mebibyte. Without a word such a client waits for a second or longer, some of them for ever.
///
/// What is refused by its head alone (no token, another kind of body) is refused at once, and the body is never sent: so the word
/// comes a little later.
final class ContinueHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    /// From the head to the word.
    static let pause = TimeAmount.milliseconds(50)

    private static let expect = HTTPField.Name("Expect")

    private var word: Scheduled<Void>?

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        stop()
        if case .head(let head) = unwrapInboundIn(data), Self.isAsked(by: head) {
            let channel = context.channel
            word = channel.eventLoop.scheduleTask(in: Self.pause) {
                channel.writeAndFlush(HTTPResponsePart.head(HTTPResponse(status: .continue)), promise: nil)
            }
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .head = unwrapOutboundIn(data) { stop() }
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
