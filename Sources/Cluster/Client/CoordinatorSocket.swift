import Messages
import ZeroMQ

/// A connection to the coordinator, at one of the addresses where it may be: what whoever waits for answers (`CoordinatorClient`) and
/// whoever hears of what is forgotten (`ServingLink`) have in common. Belongs to one thread.
final class CoordinatorSocket {
    var addresses: CoordinatorAddresses
    let curve: ClientCurve?
    private let context: Context
    private let memory: GenerationMemory?
    private var socket: Socket

    /// - `endpoints`: tried in turn.
    /// - `memory`: where the newest coordinator of each cluster is remembered; nil: nowhere, and any is believed.
    /// - Throws: `ClientError` (`invalid-request`) for an endpoint or keys that cannot be used.
    init(endpoints: [String], curve: ClientCurve?, memory: GenerationMemory?) throws {
        addresses = try CoordinatorAddresses(endpoints)
        self.curve = curve
        self.memory = memory
        do {
            context = try Context()
            socket = try Self.connect(context, addresses.present, curve)
        } catch {
            throw ClientError(code: .invalidRequest, message: "\(error)")
        }
    }

    var source: Poller.Source { .socket(socket) }
    /// Says when the connection comes further; nil: it cannot be told.
    var attempts: Poller.Source? { socket.attempts }
    /// How far it has come.
    var attempt: ConnectionAttempt { socket.attempt }

    /// What a refused connection means: it comes to nothing, and so would the next to the same address.
    var refused: ClientError {
        let key = curve.map { " (\($0.keys.publicKey))" } ?? ""
        return ClientError(
            code: .keyRefused,
            message:
                "the coordinator at \(addresses.present) is there and refused this key\(key): it has to stand on the "
                + "coordinator's list, by --allow or lethe keys allow")
    }

    /// Whether, without keys of one's own, the coordinator that is on this machine by now has another key than the connection
    /// was begun for.
    var expectsAnother: Bool {
        curve == nil && ClientCurve.local(addresses.present)?.serverKey != socket.expectedServer
    }

    /// - Throws: `ZeroMQError`, `.wouldBlock` where the queue is full.
    func send(_ frames: [[UInt8]]) throws { try socket.send(frames) }

    /// The next message; nil: none has come.
    func receive() throws -> [[UInt8]]? {
        let frames = try socket.receive(maximumFrames: WireLimits.frames, maximumBytes: WireLimits.message)
        if frames != nil { addresses.heard() }
        return frames
    }

    /// A new connection to the same address: whatever was on its way is lost, and a name is looked up again.
    func reconnect() throws { socket = try Self.connect(context, addresses.present, curve) }

    /// The same to the address whose turn it is.
    func turn() throws {
        addresses.turn()
        try reconnect()
    }

    /// - Throws: `ClientError` (`superseded`) for the answer of a coordinator after which another one was seen, by this side or by
    ///   the coordinator itself, which is not remembered then.
    func check(_ reply: ClientReply) throws {
        if case .failure(let error) = reply.outcome, reply.isSuperseded { throw error }
        guard let memory, let origin = reply.origin else { return }
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
        options.curve = (curve ?? .local(endpoint)).map { .client($0.keys, serverKey: $0.serverKey) }
        let socket = try Socket(context, .dealer, options: options)
        try socket.measure()
        try socket.connect(endpoint)
        return socket
    }
}
