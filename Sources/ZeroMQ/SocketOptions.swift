import CZeroMQ

/// How a socket behaves, by meaning. Set before it binds or connects.
public struct SocketOptions: Sendable {
    /// The socket's part in CURVE, ZeroMQ's encryption and authentication (RFC 26).
    public enum Curve: Sendable {
        /// Accepts only clients that the authenticator allows.
        ///
        /// libzmq lets everybody in while no authenticator runs, which is why one must be named here.
        case server(CurveKeyPair, Authenticator)
        case client(CurveKeyPair, serverKey: CurvePublicKey)
    }

    /// How long a closed socket may keep trying to send what is queued.
    public var linger: Duration = .zero
    /// Messages queued for one peer before sending would block.
    public var sendHighWaterMark: Int32 = 1000
    public var receiveHighWaterMark: Int32 = 1000
    /// Bytes of the largest frame a peer may send, before encryption; a peer that sends more is disconnected. nil: no
    /// limit.
    public var maximumFrameSize: Int64?
    /// A peer that has not finished its handshake by then is disconnected.
    public var handshakeTimeout: Duration = .seconds(10)
    /// A try to connect over TCP that nothing has answered by then is given up and made anew, with the name looked up again: the
    /// system's own bound is two minutes, in which a server that moved is not found.
    public var connectTimeout: Duration = .seconds(4)
    public var reconnectInterval: Duration = .milliseconds(100)
    /// Back-off doubles up to this; zero: no back-off.
    public var reconnectIntervalMaximum: Duration = .zero
    public var keepAlive = true
    /// ROUTER only: sending to an unknown identity fails with `unreachable` instead of dropping the message.
    public var routerMandatory = true
    /// The identity that a ROUTER peer sees; nil: it makes one up.
    public var routingIdentity: [UInt8]?
    public var curve: Curve?
    /// Who may connect to a server without CURVE; nil: everybody, without being asked.
    public var admission: Authenticator?
    /// ROUTER only: what the peers of a server may take; nil: as much as they like.
    public var connections: ConnectionLimits?
    /// Called for every connection that was closed for that, on any thread.
    public var whenClosed: @Sendable (_ address: String, _ reason: ConnectionClosing) -> Void = { _, _ in }
    /// Called when connections cannot be watched any more, on any thread.
    public var whenUnwatched: @Sendable (ZeroMQError) -> Void = { _ in }

    public init() {}

    /// Of a client: the key that its server has to have; nil: it is asked for none.
    public var expectedServer: CurvePublicKey? {
        if case .client(_, let key) = curve { key } else { nil }
    }

    /// Bytes that CURVE adds to a frame (RFC 26): a name of 8 bytes, a nonce of 8, an authenticator of 16 and the flags.
    var envelope: Int { curve == nil ? 0 : 33 }
}

extension Socket {
    func apply(_ options: SocketOptions) throws(ZeroMQError) {
        try set(ZMQ_LINGER, milliseconds(options.linger), "ZMQ_LINGER")
        try set(ZMQ_SNDHWM, options.sendHighWaterMark, "ZMQ_SNDHWM")
        try set(ZMQ_RCVHWM, options.receiveHighWaterMark, "ZMQ_RCVHWM")
        // libzmq measures the frame as it travels.
        let envelope = Int64(options.envelope)
        let limit = options.maximumFrameSize.map { min($0, .max - envelope) + envelope }
        try set(ZMQ_MAXMSGSIZE, limit ?? -1, "ZMQ_MAXMSGSIZE")
        try set(ZMQ_HANDSHAKE_IVL, milliseconds(options.handshakeTimeout), "ZMQ_HANDSHAKE_IVL")
        try set(ZMQ_CONNECT_TIMEOUT, milliseconds(options.connectTimeout), "ZMQ_CONNECT_TIMEOUT")
        try set(ZMQ_RECONNECT_IVL, milliseconds(options.reconnectInterval), "ZMQ_RECONNECT_IVL")
        try set(ZMQ_RECONNECT_IVL_MAX, milliseconds(options.reconnectIntervalMaximum), "ZMQ_RECONNECT_IVL_MAX")
        try set(ZMQ_TCP_KEEPALIVE, options.keepAlive ? 1 as Int32 : 0, "ZMQ_TCP_KEEPALIVE")
        if kind == .router {
            try set(ZMQ_ROUTER_MANDATORY, options.routerMandatory ? 1 as Int32 : 0, "ZMQ_ROUTER_MANDATORY")
        }
        if let identity = options.routingIdentity {
            try set(ZMQ_ROUTING_ID, bytes: identity, "ZMQ_ROUTING_ID")
        }
        switch options.curve {
        case nil:
            // Without a domain libzmq asks nobody about connections without keys.
            if options.admission != nil {
                try set(ZMQ_ZAP_DOMAIN, bytes: Array(Authenticator.domain.utf8), "ZMQ_ZAP_DOMAIN")
            }
        case .server(let keys, _):
            try set(ZMQ_CURVE_SERVER, 1 as Int32, "ZMQ_CURVE_SERVER")
            try set(ZMQ_CURVE_SECRETKEY, bytes: Array(keys.secretKey.utf8) + [0], "ZMQ_CURVE_SECRETKEY")
            try set(ZMQ_ZAP_DOMAIN, bytes: Array(Authenticator.domain.utf8), "ZMQ_ZAP_DOMAIN")
        case .client(let keys, let serverKey):
            try set(ZMQ_CURVE_SERVERKEY, bytes: Array(serverKey.text.utf8) + [0], "ZMQ_CURVE_SERVERKEY")
            try set(ZMQ_CURVE_PUBLICKEY, bytes: Array(keys.publicKey.text.utf8) + [0], "ZMQ_CURVE_PUBLICKEY")
            try set(ZMQ_CURVE_SECRETKEY, bytes: Array(keys.secretKey.utf8) + [0], "ZMQ_CURVE_SECRETKEY")
        }
    }

    /// Of what binds or connects from here on.
    func setIPv6(_ isOn: Bool) throws(ZeroMQError) {
        try set(ZMQ_IPV6, isOn ? 1 as Int32 : 0, "ZMQ_IPV6")
    }

    private func set<Value: BitwiseCopyable>(_ option: Int32, _ value: Value, _ name: String) throws(ZeroMQError) {
        let result = withUnsafeBytes(of: value) { zmq_setsockopt(handle, option, $0.baseAddress, $0.count) }
        guard result == 0 else { throw .last(name) }
    }

    private func set(_ option: Int32, bytes: [UInt8], _ name: String) throws(ZeroMQError) {
        let result = bytes.withUnsafeBytes { zmq_setsockopt(handle, option, $0.baseAddress, $0.count) }
        guard result == 0 else { throw .last(name) }
    }
}

/// Whole milliseconds, rounded up, at least 0 and at most what libzmq's 32-bit options can hold.
func milliseconds(_ duration: Duration) -> Int32 {
    let (seconds, attoseconds) = duration.components
    if seconds >= 2_000_000 { return 2_000_000_000 }
    // Rounded up: whoever waits for less than a millisecond is not to spin.
    return Int32(max(0, seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000))
}
