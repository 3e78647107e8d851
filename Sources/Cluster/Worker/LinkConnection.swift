import Messages
import ZeroMQ

/// One socket of a `Link`, from its connecting to its loss. Lives on the link's thread.
final class LinkConnection {
    let number: UInt64
    let endpoint: String
    let socket: Socket
    /// It was said that the coordinator that is there now has another key.
    var isOutdated = false
    private var portions = PortionExchange(limit: WireLimits.workerMessage)
    private var bytes: UInt64 = 0
    private let clock = ContinuousClock()
    private var lastSent: ContinuousClock.Instant
    private let heartbeat = (try? WorkerMessage.heartbeat.frames()) ?? []
    private let now: () -> Double
    private let undelivered: (ZeroMQError) -> Void

    /// - Parameter undelivered: a full queue: nothing gets through, and the silence ends the connection.
    init(
        _ context: Context, to endpoint: String, options: SocketOptions, number: UInt64, now: @escaping () -> Double,
        undelivered: @escaping (ZeroMQError) -> Void
    ) throws(ZeroMQError) {
        self.number = number
        self.endpoint = endpoint
        self.now = now
        self.undelivered = undelivered
        lastSent = clock.now
        socket = try Socket(context, .dealer, options: options)
        try socket.measure()
        try socket.connect(endpoint)
    }

    // MARK: out

    func send(_ parcel: Parcel) throws(OutgoingPortions.Full) { give(try portions.outgoing.send(parcel, at: now())) }

    func takeBack(_ subject: Parcel.Subject) { give(portions.outgoing.takeBack(subject, at: now())) }

    /// Says that this worker is alive, unless it has said something anyway.
    func beat(every period: Duration) {
        if untilBeat(every: period) <= .zero { give([heartbeat]) }
    }

    func untilBeat(every period: Duration) -> Duration { lastSent + period - clock.now }

    private func give(_ messages: [[[UInt8]]]) {
        for frames in messages {
            do throws(ZeroMQError) {
                try socket.send(frames)
                // Portions are no news of their worker to who believes it lost.
                if !PortionMessage.isOne(frames) { lastSent = clock.now }
            } catch {
                undelivered(error)
            }
        }
    }

    // MARK: in

    /// - Returns: the message that is whole with this; nil: none is.
    /// - Throws: after which nothing of the connection can be understood.
    func take(_ frames: [[UInt8]]) throws(WireError) -> [[UInt8]]? {
        guard PortionMessage.isOne(frames) else { return frames }
        let step = try portions.take(frames, at: now())
        give(step.given)
        return step.whole
    }

    /// Whether bytes have come since this was asked last, be it of a message that is not whole yet.
    func hasMoreBytes() -> Bool {
        let received = socket.receivedBytes
        defer { bytes = max(bytes, received) }
        return received > bytes
    }
}
