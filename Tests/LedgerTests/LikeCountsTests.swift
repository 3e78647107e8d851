import ClusterTestSupport
import Testing

@testable import Ledger

@Suite("Who likes what: counts, and what is chosen by them")
struct LikeCountsTests {
    private func counts(_ likes: [[Int64]], draws: [UInt64]? = nil) -> LikeCounts {
        var counts = LikeCounts()
        for (person, items) in likes.enumerated() {
            counts.set(items, of: Int64(person), draw: draws?[person] ?? UInt64(person) &* 0x9E37_79B9_7F4A_7C15)
        }
        return counts
    }

    private func chosen(
        _ counts: LikeCounts, by liked: [Int64], most: Int, without rated: Set<Int64> = []
    ) -> LikeCounts.Choice {
        var counts = counts
        return counts.choose(
            likedBy: liked, most: most, isCandidate: { !liked.contains($0) && !rated.contains($0) }, precedes: <)
    }

    @Test("First comes what is liked together with what is liked, then what most people like")
    func order() {
        // Items 2 and 3 go with 1; most people like 9, and nobody who likes 1 does.
        let together = [[Int64]](repeating: [1, 2], count: 7) + [[Int64]](repeating: [1, 3], count: 6)
        let counts = counts(together + [[Int64]](repeating: [9], count: 20) + [[Int64]](repeating: [8], count: 5))
        #expect(counts.popularity == [1: 13, 2: 7, 3: 6, 8: 5, 9: 20])
        #expect(chosen(counts, by: [1], most: 10) == .init(likedTogether: [2, 3], popular: [9, 8]))
        #expect(chosen(counts, by: [1], most: 3) == .init(likedTogether: [2, 3], popular: [9]))
        #expect(chosen(counts, by: [1], most: 1) == .init(likedTogether: [2]))
        #expect(chosen(counts, by: [], most: 2) == .init(popular: [9, 1]))
        // Before it is cut.
        #expect(chosen(counts, by: [1], most: 2, without: [2]) == .init(likedTogether: [3], popular: [9]))
    }

    @Test("Of what is as good as each other the first in the order of items comes first")
    func ties() {
        let counts = counts([[Int64]](repeating: [5, 4, 3, 2, 1], count: 6))
        #expect(chosen(counts, by: [3], most: 3) == .init(likedTogether: [1, 2, 4]))
        #expect(chosen(counts, by: [], most: 3) == .init(popular: [1, 2, 3]))
    }

    @Test("What fewer than five people like, alone or together, chooses nothing")
    func few() {
        let four = counts([[Int64]](repeating: [1, 2], count: 4))
        #expect(chosen(four, by: [1], most: 9) == .init())
        // Five like each, and four both.
        let pairs = [[Int64]](repeating: [1, 2], count: 4) + [[1], [2]]
        #expect(chosen(counts(pairs), by: [1], most: 9) == .init(popular: [2]))
        #expect(chosen(counts(pairs + [[1, 2]]), by: [1], most: 9) == .init(likedTogether: [2]))
    }

    @Test("Of an item with many people those with the first draws are gone through, whatever the order they come in")
    func sampled() {
        // The first draws like 2, all others 3.
        let few = LikeCounts.sample
        let likes = (0..<(3 * few)).map { $0 < few ? [Int64(1), 2] : [1, 3] }
        let draws = likes.indices.map { UInt64($0) }
        #expect(chosen(counts(likes, draws: draws), by: [1], most: 9) == .init(likedTogether: [2], popular: [3]))
        var numbers = SeededNumbers(4)
        var shuffled = counts([])
        for person in likes.indices.shuffled(using: &numbers) {
            shuffled.set(likes[person], of: Int64(person), draw: draws[person])
        }
        #expect(chosen(shuffled, by: [1], most: 9) == .init(likedTogether: [2], popular: [3]))
        // When one of them goes, the next comes in.
        for person in 0..<few { shuffled.set([], of: Int64(person), draw: 0) }
        #expect(chosen(shuffled, by: [1], most: 9) == .init(likedTogether: [3]))
    }

    @Test("Whatever comes and goes, they are those of who is there", arguments: 0..<20)
    func comingAndGoing(seed: Int) {
        var numbers = SeededNumbers(UInt64(seed))
        var counts = LikeCounts()
        var there: [Int64: (likes: [Int64], draw: UInt64)] = [:]
        for _ in 0..<400 {
            let person = Int64.random(in: 0..<40, using: &numbers)
            let isGone = Int.random(in: 0..<4, using: &numbers) == 0
            let count = Int.random(in: 1...8, using: &numbers)
            let likes = isGone ? [] : Array((0..<12).shuffled(using: &numbers).prefix(count))
            // Draws are few, so that some are equal; who comes again may have another.
            let draw = UInt64.random(in: 0..<30, using: &numbers)
            counts.set(likes.map(Int64.init), of: person, draw: draw)
            there[person] = isGone ? nil : (likes.map(Int64.init), draw)
            if Int.random(in: 0..<10, using: &numbers) == 0 { _ = chosen(counts, by: [1, 2], most: 5) }
        }
        var fresh = LikeCounts()
        for (person, entry) in there { fresh.set(entry.likes, of: person, draw: entry.draw) }
        #expect(counts.popularity == fresh.popularity)
        for person in Int64(0)..<40 { #expect(counts.likes(of: person) == there[person]?.likes ?? []) }
        for item in Int64(0)..<12 {
            #expect(counts.popularity[item] ?? 0 == there.values.count { $0.likes.contains(item) })
            for most in [1, 3, 12] {
                #expect(chosen(counts, by: [item, 3], most: most) == chosen(fresh, by: [item, 3], most: most))
            }
        }
    }

    @Test("A person counts with the last 32 items that they like, and of an item the latest rating says whether")
    func window() {
        let ratings = (0..<100).map { (Int64($0 % 50), $0 < 50 ? 5.0 : $0.isMultiple(of: 2) ? 4 : 1) }
        let likes = Person.likes(ratings, above: 3)
        #expect(likes == stride(from: 48, through: 0, by: -2).map { Int64($0) })
        #expect(Person.likes((0..<100).map { (Int64($0), 5.0) }, above: 3) == (68..<100).reversed().map { Int64($0) })
        #expect(Person.likes(ratings, above: nil).isEmpty && Person.likes(ratings, above: 5).isEmpty)
    }
}
