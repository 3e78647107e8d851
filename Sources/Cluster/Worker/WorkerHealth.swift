import Synchronization

/// What a worker can say of itself to whoever watches its process. Written by its loop, read by the listener's thread.
package final class WorkerHealth: Sendable {
    /// For as long the loop may stand still: longer than it ever waits.
    static let longestSilence = 90.0

    private let clock = ContinuousClock()
    private let start = ContinuousClock.now
    /// When the loop last went round, in milliseconds since the start; negative: it has not begun.
    private let lastRound = Atomic<Int64>(-1)
    private let connected = Atomic<Bool>(false)

    package init() {}

    private var now: Double { (clock.now - start) / .seconds(1) }

    /// A loop begins, perhaps not the first: it may take long to read its model.
    func begin() {
        lastRound.store(-1, ordering: .relaxed)
        connected.store(false, ordering: .relaxed)
    }

    /// The loop went round.
    func note(isConnected: Bool) {
        lastRound.store(Int64(now * 1000), ordering: .relaxed)
        connected.store(isConnected, ordering: .relaxed)
    }

    /// Whether the process is worth keeping: a worker that waits for its coordinator is, and one that reads its model.
    var isAlive: Bool {
        let last = lastRound.load(ordering: .relaxed)
        return last < 0 || now - Double(last) / 1000 < Self.longestSilence
    }

    /// Whether a coordinator has taken it in.
    var isReady: Bool { connected.load(ordering: .relaxed) && isAlive }

    /// The reply to the first line of an HTTP request.
    func reply(to line: some StringProtocol) -> String {
        let words = line.split(separator: " ")
        guard words.count >= 2, words[0] == "GET" || words[0] == "HEAD" else {
            return Self.reply("405 Method Not Allowed", "")
        }
        switch words[1] {
        case "/livez", "/healthz":
            return isAlive ? Self.reply("200 OK", "alive") : Self.reply("503 Service Unavailable", "stuck")
        case "/readyz":
            return isReady ? Self.reply("200 OK", "ready") : Self.reply("503 Service Unavailable", "no coordinator")
        default: return Self.reply("404 Not Found", "")
        }
    }

    private static func reply(_ status: String, _ text: String) -> String {
        let body = text.isEmpty ? "" : text + "\n"
        return
            "HTTP/1.1 \(status)\r\nContent-Type: text/plain\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
    }
}
