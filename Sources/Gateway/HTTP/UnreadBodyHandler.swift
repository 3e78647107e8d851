import NIOCore
import NIOHTTPTypes

/// Closes the connection of a client that has its answer and goes on sending the body, which nobody reads: after a refusal, as a
/// rule. The server drains what is left so that the connection can be used again, and every byte of it counts as life; a client
/// that sends one now and then would hold its place for ever.
final class UnreadBodyHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let limit: TimeAmount
    private var isReceiving = false
    private var closing: Scheduled<Void>?

    /// - Parameter limit: from the end of the answer to that of the request. A client that is quick to send reads the answer
    ///   all the same.
    init(limit: TimeAmount) { self.limit = limit }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: isReceiving = true
        case .body: break
        case .end:
            isReceiving = false
            stop()
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        context.write(data, promise: promise)
        guard case .end = unwrapOutboundIn(data), isReceiving, closing == nil else { return }
        let channel = context.channel
        closing = channel.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { stop() }

    private func stop() {
        closing?.cancel()
        closing = nil
    }
}
