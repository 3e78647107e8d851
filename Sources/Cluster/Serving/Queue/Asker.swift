import Messages

/// Whoever asks, as far as fairness goes: nobody has more of the queue by opening more connections with one key.
package enum Asker: Hashable, Sendable {
    /// The name of a key, over however many connections.
    case key(String)
    /// Without keys.
    case connection(PeerID)
}

/// How many questions of whom wait and are computed.
struct AskerShares {
    private struct Share {
        var waiting = 0
        var computing = 0
        /// When one of its questions was begun last.
        var lastTurn: UInt64 = 0
    }

    /// Of those who have questions.
    private var shares: [Asker: Share] = [:]

    func waiting(of asker: Asker) -> Int { shares[asker]?.waiting ?? 0 }
    func computing(of asker: Asker) -> Int { shares[asker]?.computing ?? 0 }
    /// 0: never, since it has questions.
    func lastTurn(of asker: Asker) -> UInt64 { shares[asker]?.lastTurn ?? 0 }
    /// Of whoever has the most.
    var mostWaiting: Int { shares.values.lazy.map(\.waiting).max() ?? 0 }

    mutating func asks(_ asker: Asker) { shares[asker, default: Share()].waiting += 1 }

    mutating func begins(_ asker: Asker, turn: UInt64) {
        change(asker) { share in
            share.waiting -= 1
            share.computing += 1
            share.lastTurn = turn
        }
    }

    mutating func waitsAgain(_ asker: Asker) {
        change(asker) { share in
            share.computing -= 1
            share.waiting += 1
        }
    }

    mutating func leaves(_ asker: Asker, isComputing: Bool) {
        change(asker) { share in
            if isComputing { share.computing -= 1 } else { share.waiting -= 1 }
        }
    }

    private mutating func change(_ asker: Asker, _ body: (inout Share) -> Void) {
        guard var share = shares[asker] else { return }
        body(&share)
        shares[asker] = share.waiting + share.computing > 0 ? share : nil
    }
}
