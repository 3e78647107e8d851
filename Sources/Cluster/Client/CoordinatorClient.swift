import Foundation
import Messages
import ZeroMQ

/// This side's keys for a coordinator that listens beyond loopback.
public struct ClientCurve: Sendable {
    public var keys: CurveKeyPair
    /// The coordinator's public key: nobody else can answer in its place.
    public var serverKey: CurvePublicKey

    public init(keys: CurveKeyPair, serverKey: CurvePublicKey) {
        self.keys = keys
        self.serverKey = serverKey
    }
}

/// Asks a coordinator and waits for its answers. Belongs to one thread.
///
/// Every request carries a random id. When no answer comes in time the same request is sent again, on a fresh connection
/// and under the same id, which the coordinator answers from its stored replies: nothing is done twice.
public final class CoordinatorClient {
    /// A successful reply.
    public struct Reply: Sendable {
        /// One JSON object, snake case.
        public var body: Data
        public var payloads: [[UInt8]]
    }

    public let endpoint: String
    private let context: Context
    private let curve: ClientCurve?
    private let memory: GenerationMemory?
    private var socket: Socket

    /// - `memory`: where the newest coordinator of each cluster is remembered; nil: nowhere, and any is believed.
    /// - Throws: `ClientError` (`invalid-request`) for an endpoint or keys that cannot be used.
    public init(endpoint: String, curve: ClientCurve? = nil, memory: GenerationMemory? = nil) throws {
        self.endpoint = endpoint
        self.curve = curve
        self.memory = memory
        do {
            context = try Context()
            socket = try Self.connect(context, endpoint, curve)
        } catch {
            throw ClientError(code: .invalidRequest, message: "\(error)")
        }
    }

    /// Sends a request and waits for its reply.
    ///
    /// - `id`: the request's name; repeating one returns the stored reply. nil: a new random one.
    /// - `patience`: how long the coordinator may be silent in all.
    /// - Throws: the coordinator's `ClientError`, or one with code `unreachable` or `superseded`.
    @discardableResult
    public func call(
        _ request: ClientRequest, id: String? = nil, patience: Duration = .seconds(15)
    ) throws -> Reply {
        let id = id ?? UUID().uuidString.lowercased()
        if let objection = ClientName.objection(to: id, of: "a request") {
            throw ClientError(code: .invalidRequest, message: objection)
        }
        let frames = try request.frames(id: id)
        let clock = ContinuousClock()
        let deadline = clock.now + patience
        // One lost message should not cost the whole patience, one slow answer should not be asked for many times.
        var attempt = Duration.seconds(5)
        while true {
            let retry = min(deadline, clock.now + attempt)
            if let reply = try exchange(frames, id: id, until: retry, clock: clock) {
                switch reply.outcome {
                case .success(let json): return Reply(body: Data(json), payloads: reply.payloads)
                case .failure(let error): throw error
                }
            }
            guard clock.now < deadline else {
                throw ClientError(
                    code: .unreachable,
                    message: "no answer from a coordinator at \(endpoint); is it running, and are the keys right?")
            }
            socket = try Self.connect(context, endpoint, curve)
            attempt *= 2
        }
    }

    private func exchange(
        _ frames: [[UInt8]], id: String, until deadline: ContinuousClock.Instant, clock: ContinuousClock
    ) throws -> ClientReply? {
        do {
            try socket.send(frames)
        } catch ZeroMQError.wouldBlock {
            Thread.sleep(forTimeInterval: 0.05)
            return nil
        }
        let poller = Poller([.socket(socket)])
        while clock.now < deadline {
            guard try poller.wait(timeout: deadline - clock.now)[0] else { continue }
            while let frames = try socket.receive(
                maximumFrames: WireLimits.frames, maximumBytes: WireLimits.message)
            {
                let (answered, reply) = try ClientReply.decode(frames: frames)
                // A late answer to an earlier request of this connection.
                guard answered == id else { continue }
                try check(reply.origin)
                return reply
            }
        }
        return nil
    }

    /// - Throws: `ClientError` (`superseded`) for the answer of a coordinator after which another one was seen.
    private func check(_ origin: KnownGeneration?) throws {
        guard let memory, let origin else { return }
        // What cannot be remembered (a full disk, a home that is read-only) must not keep anybody from asking.
        if let objection = try? memory.objection(to: origin.generation, of: origin.cluster) {
            throw ClientError(objection)
        }
    }

    private static func connect(
        _ context: Context, _ endpoint: String, _ curve: ClientCurve?
    ) throws(ZeroMQError) -> Socket {
        var options = SocketOptions()
        options.maximumFrameSize = Int64(WireLimits.frame)
        options.reconnectIntervalMaximum = .seconds(1)
        // What was sent must leave before the process ends.
        options.linger = .milliseconds(500)
        options.curve = curve.map { .client($0.keys, serverKey: $0.serverKey) }
        let socket = try Socket(context, .dealer, options: options)
        try socket.connect(endpoint)
        return socket
    }
}
