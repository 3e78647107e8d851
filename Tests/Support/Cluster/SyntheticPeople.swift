import Recommendation

extension SyntheticRatings {
    /// `person 0`, `person 1`, …, each with seven ratings of forty films: as many as make a prompt or two.
    package static func people(_ count: Int, seed: UInt64) -> SyntheticRatings {
        var numbers = SeededNumbers(seed)
        var data = SyntheticRatings(users: 0, seed: 0)
        data.items = (0..<40).map { Item(id: "m\($0)", title: "Film \($0)") }
        for person in 0..<count {
            for time in 0..<7 {
                data.interactions.append(
                    Interaction(
                        user: "person \(person)", item: "m\(Int.random(in: 0..<40, using: &numbers))",
                        timestamp: Int64(time), rating: Double(Int.random(in: 1...5, using: &numbers)),
                        ordinal: Int64(data.interactions.count)))
            }
        }
        return data
    }
}
