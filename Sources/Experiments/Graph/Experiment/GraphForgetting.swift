import Compute
import Unlearning

/// What an experiment forgets, written `noise:5%`, `users:5%`, `users:1`, `interactions:10`.
public struct GraphForgetting: Codable, Hashable, Sendable {
    public enum Kind: String, Codable, CaseIterable, Sendable {
        /// Training samples whose label was turned round before training, as in the authors' evaluation (arXiv 2307.02147).
        case noise
        /// All training samples of some users.
        case users
        /// Some training samples.
        case interactions
    }

    public enum Amount: Hashable, Sendable {
        /// 0...1
        case share(Double)
        case count(Int)
    }

    public var kind: Kind
    public var amount: Amount

    public init(_ kind: Kind, _ amount: Amount) {
        self.kind = kind
        self.amount = amount
    }

    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let kind = Kind(rawValue: String(parts[0])) else { return nil }
        if parts[1].hasSuffix("%") {
            guard let percent = Double(parts[1].dropLast()), percent > 0, percent <= 50 else { return nil }
            self.init(kind, .share(percent / 100))
        } else {
            guard let count = Int(parts[1]), count > 0 else { return nil }
            self.init(kind, .count(count))
        }
    }

    public var text: String {
        switch amount {
        case .share(let share):
            let percent = share * 100
            return percent == percent.rounded() ? "\(kind.rawValue):\(Int(percent))%" : "\(kind.rawValue):\(percent)%"
        case .count(let count): return "\(kind.rawValue):\(count)"
        }
    }

    /// Positions of samples, ascending, chosen by seed and use.
    ///
    /// - Parameter excluded: positions that are not to be chosen, nor their users where users are what is chosen.
    /// - Throws: `UnlearningError.invalidSpecification` when there are not so many.
    func chosen(from samples: [GraphSample], users: Int, seed: UInt64, use: UInt64, excluded: [Int]) throws -> [Int] {
        var isExcluded = [Bool](repeating: false, count: kind == .users ? users : samples.count)
        for position in excluded { isExcluded[kind == .users ? samples[position].user : position] = true }
        var isThere = isExcluded.map { _ in kind != .users }
        if kind == .users {
            for sample in samples { isThere[sample.user] = true }
        }
        let candidates = isExcluded.indices.filter { !isExcluded[$0] && isThere[$0] }
        let wanted =
            switch amount {
            case .share(let share): max(1, Int((share * Double(isThere.count { $0 })).rounded()))
            case .count(let count): count
            }
        guard wanted <= candidates.count else {
            throw UnlearningError.invalidSpecification(reason: "\(text): there are \(candidates.count) to choose from")
        }
        let generator = CounterGenerator(seed: seed, path: [0x666F_7267_6574, use])
        let drawn = candidates.map { (word: generator.word(at: $0), candidate: $0) }.sorted { $0 < $1 }
        var isChosen = [Bool](repeating: false, count: isExcluded.count)
        for pair in drawn.prefix(wanted) { isChosen[pair.candidate] = true }
        return samples.indices.filter { isChosen[kind == .users ? samples[$0].user : $0] }
    }
}

/// `{"share": 0.05}` or `{"count": 1}`.
extension GraphForgetting.Amount: Codable {
    private enum CodingKeys: String, CodingKey { case share, count }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if let share = try container.decodeIfPresent(Double.self, forKey: .share) {
            self = .share(share)
        } else {
            self = .count(try container.decode(Int.self, forKey: .count))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .share(let share): try container.encode(share, forKey: .share)
        case .count(let count): try container.encode(count, forKey: .count)
        }
    }
}
