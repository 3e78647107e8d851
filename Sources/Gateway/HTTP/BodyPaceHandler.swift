import NIOCore
import NIOHTTPTypes

/// Ends a body that comes too slowly: every mebibyte of it, and what is less than one at its end, has so much time. Only what the
/// client takes counts: while nobody here is ready for more, as an import waits for the coordinator, its time stands still.
///
/// Whoever reads the body gets the refusal as its error, and says so in the answer, with which the connection ends.
final class BodyPaceHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = NIOAny

    /// Bytes that have the time of one limit together.
    static let step = 1 << 20

    private let limit: TimeAmount
    private var isReceiving = false
    /// Of the step that is being received.
    private var received = 0
    private var left: TimeAmount
    private var waiting: (since: NIODeadline, end: Scheduled<Void>)?
    private var closing: Scheduled<Void>?

    init(limit: TimeAmount) { (self.limit, left) = (limit, limit) }

    func read(context: ChannelHandlerContext) {
        wait(context)
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        pause(context)
        switch unwrapInboundIn(data) {
        case .head: (isReceiving, received, left) = (true, 0, limit)
        case .body(let buffer):
            received += buffer.readableBytes
            if received >= Self.step { (received, left) = (received % Self.step, limit) }
        case .end: isReceiving = false
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        pause(context)
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { stop() }

    private func wait(_ context: ChannelHandlerContext) {
        guard isReceiving, waiting == nil, closing == nil else { return }
        let end = context.eventLoop.assumeIsolated().scheduleTask(in: left) { [self] in
            waiting = nil
            context.fireErrorCaught(Problem.slowBody)
            // Should nobody read it.
            let channel = context.channel
            closing = channel.eventLoop.scheduleTask(in: limit) { channel.close(promise: nil) }
        }
        waiting = (context.eventLoop.now, end)
    }

    private func pause(_ context: ChannelHandlerContext) {
        guard let (since, end) = waiting else { return }
        end.cancel()
        waiting = nil
        left = max(.zero, left - (context.eventLoop.now - since))
    }

    private func stop() {
        waiting?.end.cancel()
        closing?.cancel()
        (waiting, closing) = (nil, nil)
    }
}
