import Messages
import ZeroMQ

extension ClientCurve {
    /// What stands in for keys before a coordinator of the same user on this machine's loopback; nil: there is none, or it asks
    /// for none.
    static func local(_ endpoint: String) -> ClientCurve? {
        guard let place = try? Endpoint(endpoint, for: .connecting).loopbackPlace,
            let files = LocalCoordinators().keys(at: place), let keys = try? CurveKeyPair(contentsOf: files.own),
            let serverKey = try? CurvePublicKey(contentsOf: files.coordinator)
        else { return nil }
        return ClientCurve(keys: keys, serverKey: serverKey)
    }
}
