import Messages

/// When a worker greets, beats and gives a connection up. Pure: time is handed in, sockets are elsewhere.
///
/// A lost connection gets a fresh socket and a new hello. While no welcome comes the attempts last longer and longer,
/// 1 s to 32 s; the socket stays open in the meantime, so that a coordinator that comes back is found at once.
package struct ConnectionState: Sendable {
    package enum Action: Hashable, Sendable {
        /// Close the socket, if there is one, make a new one and say hello.
        case connect
        case heartbeat
        /// The coordinator is gone.
        case lost
    }

    package static let firstAttempt = 1.0
    package static let longestAttempt = 32.0

    private enum Phase { case idle, greeting, connected }
    private var phase = Phase.idle
    private var attempt = Self.firstAttempt
    private var period = 1.0
    private var liveness = 3
    private var lastReceived = 0.0
    private var lastSent = 0.0

    package init() {}

    package var isConnected: Bool { phase == .connected }

    /// - Parameter now: seconds of a monotonic clock.
    package mutating func tick(at now: Double) -> [Action] {
        switch phase {
        case .idle:
            greet(at: now)
            return [.connect]
        case .greeting:
            guard now >= lastSent + attempt else { return [] }
            attempt = min(attempt * 2, Self.longestAttempt)
            greet(at: now)
            return [.connect]
        case .connected:
            if now >= lastReceived + period * Double(liveness) {
                return [.lost] + lose(at: now)
            }
            guard now >= lastSent + period else { return [] }
            lastSent = now
            return [.heartbeat]
        }
    }

    /// Seconds until `tick` may have something to do.
    package func wait(at now: Double) -> Double {
        switch phase {
        case .idle: 0
        case .greeting: max(0, lastSent + attempt - now)
        case .connected: max(0, min(lastReceived + period * Double(liveness), lastSent + period) - now)
        }
    }

    package mutating func welcomed(_ welcome: CoordinatorMessage.Welcome, at now: Double) {
        phase = .connected
        attempt = Self.firstAttempt
        period = welcome.heartbeatSeconds
        liveness = welcome.liveness
        lastReceived = now
    }

    /// Any message counts as a sign of life.
    package mutating func received(at now: Double) {
        lastReceived = now
    }

    package mutating func sent(at now: Double) {
        lastSent = now
    }

    private mutating func lose(at now: Double) -> [Action] {
        greet(at: now)
        return [.connect]
    }

    private mutating func greet(at now: Double) {
        phase = .greeting
        lastSent = now
    }
}
