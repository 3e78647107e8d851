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
