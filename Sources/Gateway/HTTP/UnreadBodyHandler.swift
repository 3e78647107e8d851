import HTTPTypes
import NIOCore
import NIOHTTPTypes

/// Ends the connection of a client that has its answer and goes on sending the body, which nobody reads: after a refusal, as a
/// rule. The server drains what is left so that the connection can be used again, and every byte of it counts as life; a client
/// that sends one now and then would hold its place for ever.
///
/// And that of a client whose answer says that the connection ends with it, as soon as nothing of the request is on its way.
final class UnreadBodyHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let limit: TimeAmount
    /// Requests that came to their end, less those that were answered. A client may send the next one meanwhile: only below nought
    /// it is the answered one's own body that goes on.
    private var ahead = 0
    private var closing: Scheduled<Void>?
    /// The answer under way is the last one.
    private var isLast = false
    /// The last answer's end.
    private var written: EventLoopFuture<Void>?

    /// - Parameter limit: from the end of the answer to that of the request. A client that is quick to send reads the answer
    ///   all the same.
    init(limit: TimeAmount) { self.limit = limit }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .end = unwrapInboundIn(data) {
            ahead += 1
            if ahead >= 0 { stop() }
            closeIfOver(context)
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head) where head.status.kind != .informational:
            isLast = head.headerFields[.connection]?.lowercased() == "close"
        case .end:
            ahead -= 1
            if ahead < 0, closing == nil {
                let channel = context.channel
                closing = channel.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
            }
            guard isLast else { break }
            let promise = promise ?? context.eventLoop.makePromise()
            written = promise.futureResult
            context.write(data, promise: promise)
            return closeIfOver(context)
        default: break
        }
        context.write(data, promise: promise)
    }

    func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { stop() }

    private func closeIfOver(_ context: ChannelHandlerContext) {
        guard let written, ahead >= 0 else { return }
        self.written = nil
        let channel = context.channel
        written.whenComplete { _ in channel.close(promise: nil) }
    }

    private func stop() {
        closing?.cancel()
        closing = nil
    }
}
