/// Which of the shards that a forget request retrains are trained a second time by another worker, before the certificate
/// is signed.
package enum DoubleCheckRule: Hashable, Sendable {
    /// One shard of each request.
    case one
    /// Each shard with this probability, 0 to 1, by a hash of request and shard: 0 none, 1 all.
    case share(Double)

    /// "one", or a number from 0 to 1.
    package init?(_ text: String) {
        if text == "one" {
            self = .one
        } else if let share = Double(text), (0...1).contains(share) {
            self = .share(share)
        } else {
            return nil
        }
    }

    /// As it is written.
    package var text: String {
        switch self {
        case .one: "one"
        case .share(let share): Int(exactly: share).map(String.init) ?? "\(share)"
        }
    }

    /// - `shards`: those that are retrained, in order.
    package func chosen(of shards: [Int], request: String) -> [Int] {
        switch self {
        case .one:
            guard !shards.isEmpty else { return [] }
            return [shards[Int(Self.hash(request) % UInt64(shards.count))]]
        case .share(let share):
            return shards.filter { shard in
                let fraction = Double(Self.hash("\(request) \(shard)") >> 11) / Double(1 << 53)
                return fraction < share
            }
        }
    }

    /// FNV-1a: the same in every process.
    private static func hash(_ text: String) -> UInt64 {
        text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }
}
