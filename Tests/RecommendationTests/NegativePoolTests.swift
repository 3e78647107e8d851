import Recommendation
import Testing

@Suite("Drawing negatives from a table of items")
struct NegativePoolTests {
    private let items = (0..<40).map { "i\($0)" }
    private func key(_ user: String = "u", _ item: String = "i3", _ time: Int64 = 7) -> InteractionKey {
        InteractionKey(user: user, item: item, timestamp: time)
    }

    @Test("As many different items as wanted, never the interaction's own", arguments: [0, 1, 5, 20])
    func different(count: Int) {
        let pool = NegativePool(items)
        for time in 0..<50 {
            let drawn = pool.draw(count, for: key("u", "i\(time % 40)", Int64(time)), seed: 1)
            #expect(drawn.count == count && Set(drawn).count == count)
            #expect(drawn.allSatisfy { items.contains($0) && $0 != "i\(time % 40)" })
        }
    }

    @Test("The order of the table and repetitions in it do not matter; user, item, time and seed do")
    func keyed() {
        let pool = NegativePool(items)
        let drawn = pool.draw(5, for: key(), seed: 1)
        #expect(NegativePool(items.reversed() + items).draw(5, for: key(), seed: 1) == drawn)
        for other in [key("v"), key("u", "i4"), key("u", "i3", 8)] {
            #expect(pool.draw(5, for: other, seed: 1) != drawn)
        }
        #expect(pool.draw(5, for: key(), seed: 2) != drawn)
    }

    @Test("Fewer are a beginning of more, where the table is much larger")
    func beginning() {
        let pool = NegativePool(items)
        #expect(Array(pool.draw(8, for: key(), seed: 1).prefix(3)) == pool.draw(3, for: key(), seed: 1))
    }

    @Test("Of a small table all others are drawn, of an empty one nothing")
    func small() {
        #expect(Set(NegativePool(["i1", "i2", "i3"]).draw(20, for: key(), seed: 1)) == ["i1", "i2"])
        #expect(Set(NegativePool(["i1", "i2"]).draw(20, for: key(), seed: 1)) == ["i1", "i2"])
        #expect(NegativePool(["i3"]).draw(2, for: key(), seed: 1).isEmpty)
        #expect(NegativePool([String]()).draw(2, for: key(), seed: 1).isEmpty)
        #expect(NegativePool(["i1", "i2", "i3"]).count(20, besides: "i3") == 2)
    }

    @Test("Every item is drawn about as often as any other")
    func even() {
        let pool = NegativePool(items)
        var counts: [String: Int] = [:]
        for time in 0..<4000 {
            for item in pool.draw(2, for: key("u", "none", Int64(time)), seed: 3) { counts[item, default: 0] += 1 }
        }
        // Of 200 each the standard deviation is 14.
        #expect(counts.count == 40 && counts.values.allSatisfy { (130...270).contains($0) })
    }
}
