import Testing
import Unlearning

@Suite("What a forgotten user costs")
struct RetrainingCostTests {
    private func cost(_ users: [RetrainingCost.User], slices: Int) -> RetrainingCost {
        RetrainingCost(users, specification: TrainingSpecification(base: "b", precision: .f32, slices: slices))
    }

    @Test("Without slices it is the rest of the shard; with them the rest of the slices from the user's on")
    func small() {
        let users = (0..<6).map { RetrainingCost.User(name: "u\($0)", shard: $0 % 2, tokens: 10 + $0) }
        let one = cost(users, slices: 1)
        #expect(one.retrained == one.shard && one.users == 6)
        #expect(
            one.shard == users.map { user in
                Double(users.filter { $0.shard == user.shard && $0.name != user.name }.reduce(0) { $0 + $1.tokens })
            }.reduce(0, +) / 6)
        #expect(one.everything == users.map { Double(75 - $0.tokens) }.reduce(0, +) / 6)
        let dealing = SliceDealing(TrainingSpecification(base: "b", precision: .f32, slices: 3))
        let expected = users.map { user in
            users.filter {
                $0.shard == user.shard && $0.name != user.name
                    && dealing.slice(ofUser: $0.name) >= dealing.slice(ofUser: user.name)
            }.reduce(0.0) { $0 + Double($1.tokens) }
        }
        #expect(cost(users, slices: 3).retrained == expected.reduce(0, +) / 6)
    }

    @Test("A likely leaver in the last slice costs the last slice; others cost less than without leavers")
    func leavers() {
        let users = (0..<8_000).map { RetrainingCost.User(name: "user \($0)", shard: $0 % 4, tokens: 7) }
        let specification = TrainingSpecification(base: "b", precision: .f32, slices: 4)
        let leaving = Set(users.prefix(800).map(\.name))
        let cost = RetrainingCost(users, specification: specification, leavers: leaving)
        guard let leavers = cost.leavers, let others = cost.others else { return #expect(Bool(false)) }
        #expect(leavers.users == 800 && others.users == 7200)
        // A tenth, and a quarter of the rest.
        #expect(abs(leavers.shard / leavers.retrained - 1 / (0.1 + 0.9 / 4)) < 0.1)
        #expect(others.retrained > leavers.retrained && others.shard == leavers.shard)
        let mean = (leavers.retrained * 800 + others.retrained * 7200) / 8000
        #expect(abs(mean - cost.retrained) < 1e-6 * mean)
    }

    @Test("With many alike users, L slices train 2L ÷ (L + 1) times less")
    func many() {
        let users = (0..<20_000).map { RetrainingCost.User(name: "user \($0)", shard: $0 % 4, tokens: 7) }
        for slices in [1, 2, 4, 8] {
            let cost = cost(users, slices: slices)
            let expected = Double(2 * slices) / Double(slices + 1)
            #expect(abs(cost.shard / cost.retrained - expected) < 0.03 * expected, "\(slices) slices")
            #expect(abs(cost.everything / cost.shard - 4) < 0.01)
        }
        #expect(cost([], slices: 4).retrained == 0)
    }
}
