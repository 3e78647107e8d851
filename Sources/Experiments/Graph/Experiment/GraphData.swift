import Compute
import Foundation
import Recommendation
import Unlearning

/// Likes and dislikes by number of user and item, in the order in which the data named them.
public struct GraphData: Sendable {
    public var users: Int
    public var items: Int
    public var samples: [GraphSample]
    /// Numbers by name; none where the data is made up.
    public private(set) var userNumbers: [String: Int] = [:]
    public private(set) var itemNumbers: [String: Int] = [:]

    /// - Parameters:
    ///   - interactions: a pair that occurs again counts once, with its last rating.
    ///   - likeAbove: a rating above this is a like.
    public init(_ interactions: some Sequence<Interaction>, likeAbove: Double) {
        var (users, items): ([String: Int], [String: Int]) = ([:], [:])
        var positions: [SIMD2<Int>: Int] = [:]
        var samples: [GraphSample] = []
        for interaction in interactions {
            let user = Self.number(of: interaction.user, in: &users)
            let item = Self.number(of: interaction.item, in: &items)
            let sample = GraphSample(user: user, item: item, label: interaction.rating > likeAbove)
            if let position = positions[SIMD2(user, item)] {
                samples[position] = sample
            } else {
                positions[SIMD2(user, item)] = samples.count
                samples.append(sample)
            }
        }
        (self.users, self.items, self.samples) = (users.count, items.count, samples)
        (userNumbers, itemNumbers) = (users, items)
    }

    private static func number(of name: String, in numbers: inout [String: Int]) -> Int {
        if let number = numbers[name] { return number }
        numbers[name] = numbers.count
        return numbers.count - 1
    }

    /// Data with a known origin: users like what agrees with their taste, `width` normal factors each of users and items.
    /// Activity of users and popularity of items are log-normal, which gives ratings the shape that they have in life.
    ///
    /// - Throws: `UnlearningError.invalidSpecification` for sizes that cannot be, or are beyond reason.
    public init(synthetic size: SyntheticSize, seed: UInt64) throws {
        try size.check()
        let (users, items) = (size.users, size.items)
        func generator(_ use: UInt64) -> CounterGenerator { CounterGenerator(seed: seed, path: [0x6772_6170_68, use]) }
        func amounts(_ use: UInt64, _ count: Int, spread: Double) -> [Double] {
            generator(use).normals(count: count).map { exp(spread * Double($0)) }
        }
        let width = 8
        let taste = generator(1).normals(count: users * width)
        let kind = generator(2).normals(count: items * width)
        let quality = generator(3).normals(count: items)
        let activity = amounts(4, users, spread: 0.9)
        var popularity: [Double] = []
        for amount in amounts(5, items, spread: 1.4) { popularity.append((popularity.last ?? 0) + amount) }
        let total = activity.reduce(0, +)
        var (seen, wanted, samples) = (0.0, 0, [GraphSample]())
        samples.reserveCapacity(size.interactions)
        var lastUser = [Int](repeating: -1, count: items)
        for user in 0..<users {
            seen += activity[user]
            wanted = user + 1 == users ? size.interactions : Int(seen / total * Double(size.interactions))
            let draws = CounterGenerator(seed: seed, path: [0x6472_6177, UInt64(user)])
            var (draw, most) = (0, items / 2)
            // Whoever wants more than half of the items leaves the rest to the next ones.
            while samples.count < wanted, most > 0 {
                let place = Double(draws.uniform(at: 2 * draw)) * (popularity.last ?? 0)
                let item = min(Self.firstIndex(of: popularity, above: place), items - 1)
                let chance = Double(draws.uniform(at: 2 * draw + 1))
                draw += 1
                // The popular ones are soon all taken: after many draws the next free item will do.
                var free = item
                if lastUser[item] == user {
                    guard draw > 8 * items, let next = lastUser.firstIndex(where: { $0 != user }) else { continue }
                    free = next
                }
                lastUser[free] = user
                most -= 1
                var agreement = 0.3 + 0.7 * Double(quality[free])
                for index in 0..<width {
                    agreement += 0.5 * Double(taste[user * width + index] * kind[free * width + index])
                }
                samples.append(
                    GraphSample(user: user, item: free, label: chance < Metrics.probability(margin: agreement)))
            }
        }
        (self.users, self.items, self.samples) = (users, items, samples)
    }

    private static func firstIndex(of sums: [Double], above value: Double) -> Int {
        var (low, high) = (0, sums.count)
        while low < high {
            let middle = (low + high) / 2
            if sums[middle] <= value { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// How much data to make up, written `USERS:ITEMS:INTERACTIONS`.
public struct SyntheticSize: Codable, Hashable, Sendable {
    public var users: Int
    public var items: Int
    public var interactions: Int

    public init?(_ text: String) {
        let numbers = text.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        guard numbers.count == 3, let users = numbers[0], let items = numbers[1], let interactions = numbers[2] else {
            return nil
        }
        (self.users, self.items, self.interactions) = (users, items, interactions)
    }

    /// - Throws: `UnlearningError.invalidSpecification`.
    func check() throws {
        let isPossible = users > 0 && items > 1 && interactions > 0
        guard isPossible, users <= 1_000_000, items <= 1_000_000, interactions <= 100_000_000,
            interactions <= users * items / 4
        else {
            throw UnlearningError.invalidSpecification(
                reason: "synthetic data needs users and items, up to a million each, and at most a quarter of their "
                    + "pairs (100 million) as interactions")
        }
    }
}
