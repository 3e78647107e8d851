import Experiments
import Foundation
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("The forget requests of a comparison")
struct ComparisonPlanTests {
    private func only(_ kinds: String..., limit: Int? = nil, sequence: Int = 0) throws -> ComparisonOptions {
        ComparisonOptions(
            forget: try kinds.map { try #require(ForgetKind($0)) }, seeds: 1, limit: limit, sequence: sequence)
    }

    @Test("Kinds are read and written as text; what makes no sense is none")
    func kinds() throws {
        let kinds = [
            "users:5%", "core:12.5%", "edge:5%", "user", "user:3", "interaction", "interaction:64", "noise:50%",
        ]
        for text in kinds {
            #expect(ForgetKind(text)?.description == text)
        }
        let others = [
            "", "users", "users:5", "users:0%", "users:60%", "users:x%", "users:nan%", "user:0", "user:65", "all:5%",
        ]
        for text in others {
            #expect(ForgetKind(text) == nil, "\(text)")
        }
        let encoded = try JSONEncoder().encode([ForgetKind(.users, 10)])
        #expect(String(decoding: encoded, as: UTF8.self) == "[\"users:10%\"]")
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([ForgetKind].self, from: Data("[\"users:99%\"]".utf8))
        }
    }

    @Test("A share of users takes all prompts of these users and changes nobody else's")
    func users() throws {
        let shop = try ComparisonShop()
        let made = try #require(try shop.cases(only("users:25%")).first)
        let batch = try #require(made.batches.first)
        let removed = made.training.filter { batch.training.removed.contains($0.prompt.id) }
        #expect(Set(removed.map(\.user)).count == 3)
        #expect(removed.count == made.training.count { prompt in removed.contains { $0.user == prompt.user } })
        #expect(batch.test.removed.count == 3 && batch.training.replaced.isEmpty && batch.test.replaced.isEmpty)
    }

    @Test("One interaction takes the prompt that asks about it and rebuilds those that show it")
    func interactions() throws {
        let shop = try ComparisonShop()
        let made = try #require(try shop.cases(only("interaction:5")).first)
        #expect(made.batches.count == 5 && Set(made.batches.map(\.training.removed)).count == 5)
        for batch in made.batches {
            #expect(batch.interactions == 1 && batch.training.removed.count == 1)
            let rebuilt = [batch.training, batch.validation, batch.test].flatMap(\.replaced)
            #expect(!rebuilt.isEmpty)
            for change in rebuilt {
                #expect(abs(change.forgottenShare - 1.0 / 3) < 1e-9)
                let old = (made.training + made.validation + made.test).first { $0.prompt.id == change.new.prompt.id }
                #expect(old.map { $0.prompt.input != change.new.prompt.input } == true)
            }
        }
    }

    @Test("Flipped labels are in the training, in no test label, and are what is forgotten")
    func noise() throws {
        let shop = try ComparisonShop()
        let cases = try shop.cases(only("users:10%", "noise:20%"))
        #expect(cases.map(\.data) == ["as recorded", "flipped labels, noise:20%"])
        let (clean, noisy) = (cases[0], cases[1])
        let flipped = zip(clean.training, noisy.training).filter { $0.0.prompt.label != $0.1.prompt.label }
        #expect(flipped.count == Int((0.2 * Double(clean.training.count)).rounded()))
        #expect(Set(flipped.map(\.0.prompt.id)) == Set(noisy.batches[0].training.removed))
        #expect(clean.test.map(\.prompt.label) == noisy.test.map(\.prompt.label))
        #expect(noisy.sequence.isEmpty)
        // Everything for one seed, then the next: who stops early has a table.
        var options = try only("users:10%", "noise:20%")
        options.seeds = 2
        let order = try shop.cases(options).map { "\($0.seed) \($0.data)" }
        let first = clean.seed
        #expect(
            order
                == [first, first + 1].flatMap { seed in
                    ["as recorded", "flipped labels, noise:20%"].map { "\(seed) \($0)" }
                })
    }

    @Test("Core users have the most interactions and edge users the fewest")
    func activity() throws {
        let shop = try ComparisonShop()
        var people = shop.source.people
        for index in people.indices { people[index].interactions.removeFirst(index % 4) }
        let source = try ComparisonSource(
            people: people, titles: shop.source.titles, prompts: shop.shop.builder.configuration)
        let plan = try ComparisonPlan(
            options: only("core:25%", "edge:25%"), settings: ComparisonShop.settings())
        let made = try plan.makeCase(plan.entries[0], from: source)
        func sizes(_ activity: ComparisonPerson.Activity) -> [Int] {
            made.people.indices.filter { made.people[$0].activity == activity }.map { people[$0].interactions.count }
        }
        #expect(sizes(.core).count == 4 && sizes(.edge).count == 4)
        #expect(sizes(.core).min() ?? 0 >= sizes(.middle).max() ?? .max)
        #expect(sizes(.edge).max() ?? .max <= sizes(.middle).min() ?? 0)
        #expect(made.people.count { $0.isInRandomThird } == 4)
        #expect(made.batches[0].interactions > made.batches[1].interactions)
    }

    @Test("A limit keeps some of the prompts, and requests name none of the others")
    func limit() throws {
        let shop = try ComparisonShop()
        let made = try #require(try shop.cases(only("users:25%", "interaction:4", limit: 10, sequence: 3)).first)
        #expect(made.training.count == 10 && made.test.count == 10 && made.validation.count == 10)
        let ids = Set(made.training.map(\.prompt.id))
        for batch in made.batches { #expect(batch.training.removed.allSatisfy { ids.contains($0) }) }
        #expect(made.sequence.count == 3)
        let rows = try ComparisonShop.run(made).rows
        #expect(rows.allSatisfy { $0.failure == nil })
    }

    @Test("A limit keeps prompts that follow one another, so that what is forgotten stands in others' histories")
    func limitKeepsNeighbours() throws {
        let shop = try ComparisonShop(users: 40)
        let made = try #require(try shop.cases(only("users:5%", "interaction:8", limit: 40)).first)
        #expect(made.training.count == 40)
        let sizes = Dictionary(grouping: made.training, by: \.user).mapValues(\.count)
        #expect(sizes.count == 20 && sizes.values.allSatisfy { $0 == 2 })
        let batches = made.batches.filter { $0.kind.target == .interaction }
        #expect(batches.contains { !$0.training.replaced.isEmpty })
        #expect(batches.contains { !$0.test.replaced.isEmpty })
        #expect(made.batches.first?.training.removed.count == 2)
    }

    @Test("The same seed makes the same case, another one another; the order of people does not matter")
    func deterministic() throws {
        let shop = try ComparisonShop()
        let options = try ComparisonOptions(
            forget: [#require(ForgetKind("users:25%"))], seeds: 2, sequence: 2)
        let cases = try shop.cases(options)
        let again = try shop.cases(options)
        #expect(cases == again)
        #expect(cases[0].seed + 1 == cases[1].seed && cases[0].batches != cases[1].batches)
        #expect(cases[1].settings.specification.seed == cases[1].seed)
        let reversed = try ComparisonSource(
            people: shop.source.people.reversed(), titles: shop.source.titles,
            prompts: shop.shop.builder.configuration)
        let plan = try ComparisonPlan(options: options, settings: ComparisonShop.settings())
        let other = try plan.makeCase(plan.entries[0], from: reversed)
        #expect(other == cases[0])
    }

    @Test("Too little data and options out of bounds are refused")
    func refused() throws {
        let shop = try ComparisonShop(users: 1, interactionsEach: 6)
        #expect(throws: UnlearningError.noSamples) { try shop.cases(only("users:50%")) }
        #expect(throws: UnlearningError.self) { try ComparisonOptions(seeds: 0).check() }
        #expect(throws: UnlearningError.self) { try ComparisonOptions(forget: []).check() }
        #expect(throws: UnlearningError.self) { try ComparisonOptions(limit: 1).check() }
        #expect(throws: UnlearningError.self) { try ComparisonOptions(methods: [.ifru, .ifru]).check() }
    }
}
