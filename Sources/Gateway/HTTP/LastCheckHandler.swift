import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTPTypes

/// Lets an answer out, or a refusal in its place: looks at its `Passage` in the moment in which its head goes to the system.
///
/// Between the task that made an answer and this handler lies a switch of threads, and behind it the bytes of the answer before
/// that a client leaves unread; what is revoked meanwhile must not go out (invariant 2). So an answer waits here, before its look,
/// until the system has taken all of the one before. The server asks for no more of them once it knows that one waits: what lies
/// here is what it had made by then, one answer as a rule.
final class LastCheckHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private typealias Write = (part: HTTPResponsePart, promise: EventLoopPromise<Void>?)

    private var connection: ClientConnection?
    /// The body under way is not let out.
    private var isWithholding = false
    /// Begins with an answer's head, as soon as there is anything.
    private var held = CircularBuffer<Write>()
    /// Of whoever wants the output ended after what is held.
    private var endings: [EventLoopPromise<Void>?] = []
    private var isLettingOut = false

    func handlerAdded(context: ChannelHandlerContext) {
        connection = ClientConnection.of(context.channel)
        // A connection is ready for the next answer once nothing lies here, past its last check, behind bytes that are left unread.
        context.channel.setOption(.writeBufferWaterMark, value: .init(low: 1, high: 1)).whenFailure { _ in }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let part = unwrapOutboundIn(data)
        // One that is closed says so itself.
        let isReady = context.channel.isWritable || !context.channel.isActive
        guard held.isEmpty, isReady || !Self.begins(part) else { return held.append((part, promise)) }
        pass((part, promise), context)
    }

    func flush(context: ChannelHandlerContext) {
        context.flush()
        letOut(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        letOut(context)
        context.fireChannelWritabilityChanged()
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch mode {
        // The system, too, sends first what it has.
        case .output where !held.isEmpty: return endings.append(promise)
        case .all: drop()
        case .input, .output: break
        }
        context.close(mode: mode, promise: promise)
    }

    func channelInactive(context: ChannelHandlerContext) {
        drop()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { drop() }

    /// Whether an answer begins with it; a word to go on is none.
    private static func begins(_ part: HTTPResponsePart) -> Bool {
        if case .head(let head) = part { head.status.kind != .informational } else { false }
    }

    private func letOut(_ context: ChannelHandlerContext) {
        // A flush may tell at once that there is room again.
        guard !isLettingOut, !held.isEmpty else { return }
        isLettingOut = true
        defer { isLettingOut = false }
        while context.channel.isWritable, !held.isEmpty {
            repeat { pass(held.removeFirst(), context) } while held.first.map { !Self.begins($0.part) } ?? false
            context.flush()
        }
        guard held.isEmpty else { return }
        let endings = endings
        self.endings = []
        for promise in endings { context.close(mode: .output, promise: promise) }
    }

    private func drop() {
        let (held, endings) = (held, endings)
        self.held.removeAll()
        self.endings = []
        for promise in held.map(\.promise) + endings { promise?.fail(ChannelError.ioOnClosedChannel) }
    }

    private func pass(_ write: Write, _ context: ChannelHandlerContext) {
        switch write.part {
        case .head(var head) where Self.begins(write.part):
            let problem = objection(to: &head)
            isWithholding = problem != nil
            guard let problem else { return context.write(wrapOutboundOut(.head(head)), promise: write.promise) }
            var instead = Response(problem).head
            for name in [HTTPField.Name.date, .connection] {
                if let value = head.headerFields[name] { instead.headerFields[name] = value }
            }
            context.write(wrapOutboundOut(.head(instead)), promise: write.promise)
            context.write(wrapOutboundOut(.body(ByteBuffer(bytes: problem.json))), promise: nil)
        case .body where isWithholding: write.promise?.succeed()
        default: context.write(wrapOutboundOut(write.part), promise: write.promise)
        }
    }

    /// What goes out in the place of the answer with this head; nil: it does.
    private func objection(to head: inout HTTPResponse) -> Problem? {
        guard let number = head.headerFields.passage else { return nil }
        head.headerFields.passage = nil
        // An answer that is to pass what nobody knows does not.
        guard let passage = connection?.takePassage(number) else { return .internalError }
        return passage.objection()
    }
}
