import Foundation

/// Answers ZAP requests (RFC 27).
struct ZAPDoor {
    struct Answer {
        var frames: [[UInt8]]
        var refusal: Authenticator.Refusal?
    }

    var admission: Authenticator.Admission
    /// Connections without keys that may come at once.
    private var tokens: Double
    private var refilled = ContinuousClock.now

    init(_ admission: Authenticator.Admission) {
        self.admission = admission
        if case .anybody(let rate) = admission { tokens = rate } else { tokens = 0 }
    }

    /// The answer to one request as a ROUTER socket sees it, or nil when it is not one.
    ///
    /// Frames: routing identity, empty, version, request id, domain, address, identity, mechanism, credentials. The identity
    /// is the server socket's own, whatever RFC 27 says: what the peer claims cannot be seen here.
    mutating func answer(_ request: [[UInt8]], at now: ContinuousClock.Instant) -> Answer? {
        guard request.count >= 8, request[1].isEmpty, request[2] == Array("1.0".utf8) else { return nil }
        let address = plainAddress(String(decoding: request[5], as: UTF8.self))
        let start = [request[0], [], request[2], request[3]]
        let mechanism = String(decoding: request[7], as: UTF8.self)
        switch admission {
        case .anybody(let rate):
            guard mechanism == "NULL" else { break }
            guard takeToken(rate, at: now) else {
                // Not now; libzmq's clients come again.
                return Answer(frames: start + ["300", "too many connections", "", ""].map { Array($0.utf8) })
            }
            return Answer(frames: start + ["200", "OK", "", ""].map { Array($0.utf8) })
        case .keys(let allowed, let names):
            let key = mechanism == "CURVE" && request.count == 9 ? CurvePublicKey(bytes: request[8]) : nil
            guard let key, allowed.contains(key) else {
                return refuse(start, Authenticator.Refusal(key: key, address: address))
            }
            let name = Array((names[key] ?? key.shortName).utf8)
            return Answer(
                frames: start + [Array("200".utf8), Array("OK".utf8), name, Self.properties(of: key)], refusal: nil)
        }
        return refuse(start, Authenticator.Refusal(key: nil, address: address))
    }

    private func refuse(_ start: [[UInt8]], _ refusal: Authenticator.Refusal) -> Answer {
        Answer(frames: start + ["400", "not on the list", "", ""].map { Array($0.utf8) }, refusal: refusal)
    }

    private mutating func takeToken(_ rate: Double, at now: ContinuousClock.Instant) -> Bool {
        tokens = min(rate, tokens + rate * max(0, (now - refilled) / .seconds(1)))
        refilled = now
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }

    /// Properties of the connection. `Identity` takes the place of what the peer called itself, if libzmq read that before
    /// this answer (`Authenticator.serve`): no peer of a CURVE server chooses the name that a ROUTER socket routes by.
    private static func properties(of key: CurvePublicKey) -> [UInt8] {
        // Text: the message's properties are read as C strings.
        let identity = Array(UUID().uuidString.utf8)
        return property(Socket.Property.identity, identity) + property(Socket.Property.key, Array(key.text.utf8))
    }

    private static func property(_ name: String, _ value: [UInt8]) -> [UInt8] {
        let size = UInt32(value.count)
        return [UInt8(name.utf8.count)] + Array(name.utf8)
            + [UInt8(size >> 24), UInt8(size >> 16 & 255), UInt8(size >> 8 & 255), UInt8(size & 255)] + value
    }
}
