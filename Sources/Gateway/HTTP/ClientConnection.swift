import Foundation
import NIOCore
import ZeroMQ

/// One client's connection. Tells whoever waits for an answer that nobody will read it, since the client closed its side; and remembers
/// whose it is, which is looked up once.
final class ClientConnection: Sendable {
    private struct State {
        var isClosed = false
        var next = 0
        var waiting: [Int: @Sendable () -> Void] = [:]
    }

    private let state = Locked(State())
    private let passages = Locked<(next: Int, expected: [Int: Passage])>((0, [:]))
    private let admitted = Locked<(@Sendable () -> Void)?>(nil)
    private let admission = Locked<(known: LoopbackDoor.Admission?, looks: Int)>((nil, 0))
    /// How often one that nobody knows is looked up.
    private static let mostLooks = 3

    /// - Parameter find: called until it knows, a few times: what could not be read once may be read for the next request.
    func admission(_ find: () -> LoopbackDoor.Admission) -> LoopbackDoor.Admission {
        admission.withLock { state in
            if let known = state.known { return known }
            let admission = find()
            state.looks += 1
            if admission != .unknown || state.looks >= Self.mostLooks { state.known = admission }
            return admission
        }
    }

    /// - Returns: for `forget`.
    func whenClosed(_ body: @escaping @Sendable () -> Void) -> Int {
        let (number, isClosed) = state.withLock { state in
            state.next += 1
            if !state.isClosed { state.waiting[state.next] = body }
            return (state.next, state.isClosed)
        }
        if isClosed { body() }
        return number
    }

    /// - Parameter body: called once, when somebody has asked for something here who may.
    func whenAdmitted(_ body: @escaping @Sendable () -> Void) { admitted.withLock { $0 = body } }

    /// Somebody has asked who may.
    func admit() {
        admitted.withLock { body in
            defer { body = nil }
            return body
        }?()
    }

    /// Of an answer that will be written. Several may be on their way: the server takes the next request up before the loop has
    /// written an answer's head.
    ///
    /// - Returns: its number, for the answer's head.
    func expect(_ passage: Passage) -> Int {
        passages.withLock { passages in
            passages.next += 1
            passages.expected[passages.next] = passage
            return passages.next
        }
    }

    /// - Parameter number: from the head that is being written now.
    func takePassage(_ number: Int) -> Passage? { passages.withLock { $0.expected.removeValue(forKey: number) } }

    func forget(_ number: Int) { state.withLock { $0.waiting[number] = nil } }

    /// Whether the client has closed its side.
    var isClosed: Bool { state.withLock { $0.isClosed } }

    func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = [:] }
            return state.waiting
        }
        for body in waiting.values { body() }
    }

    /// By channel; an entry lives as long as its handler is in the pipeline.
    private static let all = Locked<[ObjectIdentifier: ClientConnection]>([:])

    static func of(_ channel: any Channel) -> ClientConnection? { all.withLock { $0 }[ObjectIdentifier(channel)] }

    /// In a connection's pipeline.
    final class Handler: ChannelInboundHandler, RemovableChannelHandler {
        typealias InboundIn = NIOAny

        private let connection = ClientConnection()

        func handlerAdded(context: ChannelHandlerContext) {
            let (id, connection) = (ObjectIdentifier(context.channel), connection)
            ClientConnection.all.withLock { $0[id] = connection }
        }

        func handlerRemoved(context: ChannelHandlerContext) {
            let id = ObjectIdentifier(context.channel)
            ClientConnection.all.withLock { $0[id] = nil }
            connection.close()
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            // A client that waits for its answer keeps its side open; half of a connection is how a closed one looks.
            if case .inputClosed? = event as? ChannelEvent { connection.close() }
            context.fireUserInboundEventTriggered(event)
        }

        func channelInactive(context: ChannelHandlerContext) {
            connection.close()
            context.fireChannelInactive()
        }
    }
}
