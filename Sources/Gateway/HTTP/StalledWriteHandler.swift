import NIOCore

/// Closes the connection of a client that does not read: what was written to it waits, and so does whoever writes, for ever, as the
/// server's own clock for idle connections stands still while a request is being answered.
final class StalledWriteHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    typealias OutboundIn = NIOAny

    private let limit: TimeAmount
    /// Writes that the system has not taken whole.
    private var waiting = 0
    /// Whether it took one since the last look.
    private var hasProgressed = false
    /// Bytes that lay here at the last look: a long answer may be under way for many.
    private var unsent = 0
    private var look: Scheduled<Void>?

    /// - Parameter limit: in which something has to go out.
    init(limit: TimeAmount) { self.limit = limit }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let written = promise ?? context.eventLoop.makePromise()
        waiting += 1
        written.futureResult.assumeIsolated().whenComplete { [self] _ in
            waiting -= 1
            hasProgressed = true
        }
        context.write(data, promise: written)
        if look == nil, waiting > 0 { lookLater(context) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { stop() }

    private func lookLater(_ context: ChannelHandlerContext) {
        hasProgressed = false
        unsent = Self.unsent(context.channel)
        look = context.eventLoop.assumeIsolated().scheduleTask(in: limit) { [self] in
            look = nil
            guard waiting > 0 else { return }
            guard hasProgressed || Self.unsent(context.channel) < unsent else {
                return context.channel.abort()
            }
            lookLater(context)
        }
    }

    private func stop() {
        look?.cancel()
        look = nil
    }

    private static func unsent(_ channel: any Channel) -> Int {
        (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }
}
