import Messages

/// When a worker greets and gives a connection up. Pure: time is handed in, sockets and heartbeats are elsewhere.
///
/// A lost connection gets a fresh socket and a new hello. While no welcome comes the attempts last longer and longer,
/// 1 s to 32 s; the socket stays open in the meantime, so that a coordinator that comes back is found at once. Of several
/// addresses each is tried once before an attempt lasts longer; the one that welcomed last is tried first.
package struct ConnectionState: Sendable {
    package enum Action: Hashable, Sendable {
        /// Close the socket, if there is one, make a new one to the address of this number, from 0, and say hello.
        case connect(address: Int)
        /// The coordinator is gone.
        case lost
    }

    package static let firstAttempt = 1.0
    package static let longestAttempt = 32.0
    package static let longestPatience = 30.0
    /// Longer than a coordinator believes in a connection of which nothing is heard.
    package static let longestDuplication = 90.0

    private enum Phase { case idle, greeting, connected }
    private var phase = Phase.idle
    private var attempt = Self.firstAttempt
    private var period = 1.0
    private var liveness = 3
    private var lastReceived = 0.0
    /// The longest silence lately: whoever was slow is given up later.
    private var longestGap = 0.0
    private var lastSent = 0.0
    private let addresses: Int
    /// The number of the address that is tried, or answers.
    package private(set) var address = 0
    /// Attempts in vain since the last welcome.
    private var missed = 0
    /// Since when every attempt has been refused as another worker of this one's id, and at which address last: at the others
    /// nobody need be.
    private var duplicate: (since: Double, address: Int)?
    /// Whether the present attempt had an answer.
    private var isAnswered = false

    /// - Parameter addresses: how many there are to try.
    package init(addresses: Int = 1) {
        self.addresses = max(1, addresses)
    }

    package var isConnected: Bool { phase == .connected }

    /// - Parameter now: seconds of a monotonic clock.
    package mutating func tick(at now: Double) -> [Action] {
        switch phase {
        case .idle:
            return [greet(at: now)]
        case .greeting:
            guard now >= lastSent + attempt else { return [] }
            missed += 1
            if !isAnswered, duplicate?.address == address { duplicate = nil }
            address = (address + 1) % addresses
            if missed.isMultiple(of: addresses) { attempt = min(attempt * 2, Self.longestAttempt) }
            return [greet(at: now)]
        case .connected:
            return now >= lastReceived + patience ? [.lost, greet(at: now)] : []
        }
    }

    /// Seconds until `tick` may have something to do.
    package func wait(at now: Double) -> Double {
        switch phase {
        case .idle: 0
        case .greeting: max(0, lastSent + attempt - now)
        case .connected: max(0, lastReceived + patience - now)
        }
    }

    package mutating func welcomed(_ welcome: CoordinatorMessage.Welcome, at now: Double) {
        phase = .connected
        attempt = Self.firstAttempt
        missed = 0
        duplicate = nil
        period = welcome.heartbeatSeconds
        liveness = welcome.liveness
        lastReceived = now
    }

    /// The coordinator does not take this worker, or not any more. It may later: the attempts go on.
    ///
    /// - Returns: whether it did until now.
    package mutating func refused(_ code: ErrorCode, at now: Double) -> Bool {
        isAnswered = true
        if code != .duplicateWorker { duplicate = nil }
        guard phase == .connected else { return false }
        phase = .greeting
        lastSent = now
        return true
    }

    /// It is refused as another one with the id of a worker that is here.
    ///
    /// - Returns: whether that is so for good: its own connection of before would have been given up by now.
    package mutating func isDuplicate(at now: Double) -> Bool {
        let since = duplicate?.since ?? now
        duplicate = (since, address)
        return now >= since + Self.longestDuplication
    }

    /// Any message, and any part of one, counts as a sign of life.
    package mutating func received(at now: Double) {
        guard phase == .connected, now > lastReceived else { return }
        let gap = now - lastReceived
        longestGap = max(gap, longestGap - gap / 20)
        lastReceived = now
    }

    /// Seconds for which nothing need come.
    private var patience: Double {
        max(period * Double(liveness), min(2 * longestGap + period, Self.longestPatience))
    }

    private mutating func greet(at now: Double) -> Action {
        phase = .greeting
        isAnswered = false
        lastSent = now
        return .connect(address: address)
    }
}
