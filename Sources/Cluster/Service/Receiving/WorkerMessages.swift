import Coordination
import Messages

/// Large messages of workers (adapters, stages, rows, greetings with many copies) from when they are whole until they are decoded. A
/// value: it decodes nothing, and says where that is to be done.
///
/// Putting the frames of an adapter together, naming its bytes and reading long JSON takes up to seconds: on the socket's thread
/// everybody's heartbeats would wait. So what is large is decoded on a thread of its own, and what the same connection sends
/// meanwhile stays behind it. What came in portions, however little, was bounded by its credits, which count it until it is
/// decoded (`WorkerLinks`): a worker that connects again says many results at once, and must not be closed for that. What came
/// whole is bounded here.
package struct WorkerMessages {
    package struct Limits: Sendable {
        /// Bytes of whole messages: of all connections, and of one.
        package var whole = 256 << 20
        package var wholeOfOne = WireLimits.request + 4 << 20
        /// Bytes of short whole messages of one connection behind its large ones.
        package var shortOfOne = 4 << 20

        package init() {}
    }

    package enum Way: Equatable, Sendable {
        case onSocketThread
        case onOwnThread
        /// Its connection is to be closed: nothing of it may be left out.
        case tooMuch
    }

    private struct Peer {
        var waiting = 0
        var short = 0
        var whole = 0
    }

    /// How a message is counted until it is decoded.
    private enum Kind {
        case short
        case whole
        case inPortions
    }

    private let limits: Limits
    private var peers: [PeerID: Peer] = [:]
    private var whole = 0
    /// Of messages that came in portions.
    package private(set) var bytesInPortions = 0

    package init(_ limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Takes a message in.
    package mutating func take(bytes: Int, inPortions: Bool, from peer: PeerID) -> Way {
        var known = peers[peer] ?? Peer()
        guard bytes > LargeRequests.threshold || known.waiting > 0 else { return .onSocketThread }
        let (kind, count) = Self.counted(bytes, inPortions: inPortions)
        switch kind {
        case .inPortions: bytesInPortions += count
        case .short:
            guard known.short + count <= limits.shortOfOne else { return .tooMuch }
            known.short += count
        case .whole:
            guard whole + count <= limits.whole, known.whole + count <= limits.wholeOfOne else {
                // Decoded at once it waits nowhere; but not before what came before it.
                return known.waiting == 0 ? .onSocketThread : .tooMuch
            }
            known.whole += count
            whole += count
        }
        known.waiting += 1
        peers[peer] = known
        return .onOwnThread
    }

    /// One that was taken in was decoded, whatever came of it.
    package mutating func decoded(bytes: Int, inPortions: Bool, from peer: PeerID) {
        guard var known = peers[peer] else { return }
        let (kind, count) = Self.counted(bytes, inPortions: inPortions)
        switch kind {
        case .inPortions: bytesInPortions -= count
        case .short: known.short -= count
        case .whole:
            known.whole -= count
            whole -= count
        }
        known.waiting -= 1
        peers[peer] = known.waiting == 0 ? nil : known
    }

    private static func counted(_ bytes: Int, inPortions: Bool) -> (Kind, Int) {
        let count = max(bytes, LargeRequests.leastBytes)
        return (inPortions ? .inPortions : bytes > LargeRequests.threshold ? .whole : .short, count)
    }
}
