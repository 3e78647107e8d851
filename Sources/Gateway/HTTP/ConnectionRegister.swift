import Logging
import NIOCore
import NIOHTTPTypes
import ZeroMQ

/// All connections of a gateway. When every place is taken one of them is closed for a new one (`ConnectionPlaces`): a server that
/// stopped accepting would be deaf to probes and forget requests for as long as anybody keeps its connections busy.
final class ConnectionRegister: Sendable {
    struct Counts: Sendable {
        var open = 0
        /// Closed because others came.
        var displaced = 0
    }

    private struct State {
        var places: ConnectionPlaces
        var closing: [Int: @Sendable () -> Void] = [:]
        var displaced = 0
        /// Since the last line of the log.
        var unsaid = 0
        var said: ContinuousClock.Instant?
    }

    /// From one line of the log to the next.
    private static let pause = Duration.seconds(60)

    private let state: Locked<State>
    private let logger: Logger

    init(limit: Int, logger: Logger) {
        state = Locked(State(places: ConnectionPlaces(limit: limit)))
        self.logger = logger
    }

    var counts: Counts { state.withLock { Counts(open: $0.closing.count, displaced: $0.displaced) } }

    /// - Parameters:
    ///   - address: 4 or 16 bytes; none: nobody knows.
    ///   - close: called when it has to give way, on any thread; it leaves then as any other.
    func enter(_ address: [UInt8], close: @escaping @Sendable () -> Void) -> Int {
        let (place, leaving, unsaid) = state.withLock { state in
            let (place, leaving) = state.places.enter(address)
            state.closing[place] = close
            guard let leaving else { return (place, nil as (@Sendable () -> Void)?, 0) }
            state.displaced += 1
            state.unsaid += 1
            var unsaid = 0
            if state.said.map({ ContinuousClock.now - $0 >= Self.pause }) ?? true {
                (unsaid, state.unsaid, state.said) = (state.unsaid, 0, .now)
            }
            return (place, state.closing[leaving], unsaid)
        }
        leaving?()
        if unsaid > 0 { logger.warning("all connections are taken: \(unsaid) were closed for others") }
        return place
    }

    func leave(_ place: Int) {
        state.withLock { state in
            state.places.leave(place)
            state.closing[place] = nil
        }
    }

    func admit(_ place: Int) { state.withLock { $0.places.admit(place) } }
    func set(_ place: Int, isBusy: Bool) { state.withLock { $0.places.set(place, isBusy: isBusy) } }

    /// In a connection's pipeline, after that of `ClientConnection`.
    final class Handler: ChannelDuplexHandler, RemovableChannelHandler {
        typealias InboundIn = HTTPRequestPart
        typealias InboundOut = HTTPRequestPart
        typealias OutboundIn = HTTPResponsePart
        typealias OutboundOut = HTTPResponsePart

        private let register: ConnectionRegister
        private var place: Int?
        /// Requests that are not answered.
        private var open = 0

        init(_ register: ConnectionRegister) { self.register = register }

        func handlerAdded(context: ChannelHandlerContext) { if context.channel.isActive { enter(context) } }

        func channelActive(context: ChannelHandlerContext) {
            enter(context)
            context.fireChannelActive()
        }

        private func enter(_ context: ChannelHandlerContext) {
            guard place == nil else { return }
            let (channel, register) = (context.channel, register)
            let place = register.enter(channel.remoteAddress.flatMap(SocketEnd.init)?.address ?? []) {
                channel.eventLoop.execute { channel.abort() }
            }
            self.place = place
            ClientConnection.of(channel)?.whenAdmitted { register.admit(place) }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if case .head = unwrapInboundIn(data) {
                open += 1
                if open == 1, let place { register.set(place, isBusy: true) }
            }
            context.fireChannelRead(data)
        }

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            if case .end = unwrapOutboundIn(data) {
                open = max(0, open - 1)
                if open == 0, let place { register.set(place, isBusy: false) }
            }
            context.write(data, promise: promise)
        }

        func channelInactive(context: ChannelHandlerContext) {
            leave()
            context.fireChannelInactive()
        }

        func handlerRemoved(context: ChannelHandlerContext) { leave() }

        private func leave() {
            if let place { register.leave(place) }
            place = nil
        }
    }
}
