import Foundation
import NIOCore

/// Tells whoever waits for an answer that nobody will read it: the client closed its side of the connection.
final class ConnectionClosing: Sendable {
    private struct State {
        var isClosed = false
        var next = 0
        var waiting: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Guarded(State())

    /// - Returns: for `forget`.
    func whenClosed(_ body: @escaping @Sendable () -> Void) -> Int {
        let (number, isClosed) = state.change { state in
            state.next += 1
            if !state.isClosed { state.waiting[state.next] = body }
            return (state.next, state.isClosed)
        }
        if isClosed { body() }
        return number
    }

    func forget(_ number: Int) { state.change { $0.waiting[number] = nil } }

    fileprivate func close() {
        let waiting = state.change { state in
            state.isClosed = true
            defer { state.waiting = [:] }
            return state.waiting
        }
        for body in waiting.values { body() }
    }

    /// By channel; an entry lives as long as its handler is in the pipeline.
    private static let all = Guarded<[ObjectIdentifier: ConnectionClosing]>([:])

    static func of(_ channel: any Channel) -> ConnectionClosing? { all.get()[ObjectIdentifier(channel)] }

    /// In a connection's pipeline.
    final class Handler: ChannelInboundHandler, RemovableChannelHandler {
        typealias InboundIn = NIOAny

        private let closing = ConnectionClosing()

        func handlerAdded(context: ChannelHandlerContext) {
            let (id, closing) = (ObjectIdentifier(context.channel), closing)
            ConnectionClosing.all.change { $0[id] = closing }
        }

        func handlerRemoved(context: ChannelHandlerContext) {
            let id = ObjectIdentifier(context.channel)
            ConnectionClosing.all.change { $0[id] = nil }
            closing.close()
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            // A client that waits for its answer keeps its side open; half of a connection is how a closed one looks.
            if case .inputClosed? = event as? ChannelEvent { closing.close() }
            context.fireUserInboundEventTriggered(event)
        }

        func channelInactive(context: ChannelHandlerContext) {
            closing.close()
            context.fireChannelInactive()
        }
    }
}
