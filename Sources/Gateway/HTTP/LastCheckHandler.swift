import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTPTypes

/// Lets an answer out, or a refusal in its place: looks at its `Passage` in the moment in which its head is written.
///
/// Between the task that made an answer and this handler lie a switch of threads and a write that waits while the client does not
/// read; what is revoked meanwhile must not go out (invariant 2).
final class LastCheckHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private var connection: ClientConnection?
    /// The body under way is not let out.
    private var isWithholding = false

    func handlerAdded(context: ChannelHandlerContext) {
        connection = ClientConnection.of(context.channel)
        // The next answer is written once all of the one before is the system's: none lies here, past its last check, behind
        // bytes that a client leaves unread.
        context.channel.setOption(.writeBufferWaterMark, value: .init(low: 1, high: 1)).whenFailure { _ in }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch unwrapOutboundIn(data) {
        case .head(let head) where head.status.kind != .informational:
            isWithholding = false
            guard let problem = connection?.takePassage()?.objection() else { break }
            isWithholding = true
            let refusal = Response(problem)
            var instead = refusal.head
            for name in [HTTPField.Name.date, .connection] {
                if let value = head.headerFields[name] { instead.headerFields[name] = value }
            }
            context.write(wrapOutboundOut(.head(instead)), promise: promise)
            return context.write(wrapOutboundOut(.body(ByteBuffer(bytes: problem.json))), promise: nil)
        case .body where isWithholding:
            promise?.succeed()
            return
        default: break
        }
        context.write(data, promise: promise)
    }
}
