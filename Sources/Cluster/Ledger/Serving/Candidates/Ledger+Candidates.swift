import GRDB
import Messages
import Recommendation

/// What writes change in what memory counts of the catalogue, once they are made.
struct CatalogueCounts {
    struct Likes {
        /// The latest first.
        var items: [Int64]
        var draw: UInt64
    }

    /// Interactions and what was drawn for them that name an item, more than before.
    var uses: [Int64: Int] = [:]
    /// Items that an interaction named before: others do not leave the catalogue with whoever they were drawn for.
    var had: Set<Int64> = []
    /// Of people whose part changes: what they count with from now on.
    var likes: [Int64: Likes] = [:]
}

extension Person {
    /// Numbers of the items that the person counts with, the latest first.
    func likes(in catalogue: Catalogue) -> [Int64] {
        Self.likes(interactions.lazy.map { ($0.item, $0.rating) }, above: catalogue.likeAbove)
    }

    /// Of an item the latest rating counts.
    ///
    /// - Parameter ratings: items and ratings, the oldest first.
    static func likes(
        _ ratings: some BidirectionalCollection<(Int64, Double)>, above threshold: Double?
    ) -> [Int64] {
        guard let threshold else { return [] }
        var seen: Set<Int64> = []
        var likes: [Int64] = []
        for (item, rating) in ratings.reversed() where seen.insert(item).inserted && rating > threshold {
            likes.append(item)
            if likes.count == LikeCounts.window { break }
        }
        return likes
    }
}

extension Ledger {
    /// What decides whether somebody is among those who are gone through for an item.
    func candidateDraw(of name: String) -> UInt64 {
        FieldHash.number(["candidates", String(configuration.seed), name])
    }

    /// Notes what a person counts with from now on, if that is something else.
    ///
    /// - Parameter person: nil: gone.
    func note(_ person: Person?, id: Int64, in counts: inout CatalogueCounts, _ db: Database) throws {
        let catalogue = try catalogue(db)
        let items = person?.likes(in: catalogue) ?? []
        guard counts.likes[id] != nil || items != catalogue.likes.likes(of: id) else { return }
        counts.likes[id] = .init(items: items, draw: person.map { candidateDraw(of: $0.name) } ?? 0)
    }

    /// The best of what may be asked about. Only where too few of it are liked by enough people is the whole catalogue gone
    /// through.
    ///
    /// - `liked`: numbers of the items that the person likes, the latest first.
    /// - `isCandidate`: whether an item may be asked about; that it has a title is seen to here.
    /// - `count`: how many at most; fewer only where there are no more.
    func candidates(
        likedBy liked: [Int64], most count: Int, _ catalogue: Catalogue,
        isCandidate: (Int64, Catalogue.Entry) -> Bool
    ) -> (numbers: [Int64], report: Retrieval) {
        func precedes(_ left: Int64, _ right: Int64) -> Bool {
            let (left, right) = (catalogue[left]?.token ?? "", catalogue[right]?.token ?? "")
            return left.utf8.lexicographicallyPrecedes(right.utf8)
        }
        func passes(_ number: Int64) -> Bool {
            guard let entry = catalogue[number], entry.title != nil else { return false }
            return isCandidate(number, entry)
        }
        let choice = catalogue.likes.choose(
            likedBy: liked, most: count, isCandidate: passes, precedes: precedes)
        var numbers = choice.likedTogether + choice.popular
        // Of the rest too few people like any to say which: those that come first in the order of ids.
        var rest: [Int64] = []
        let left = count - numbers.count
        if left > 0 {
            let chosen = Set(numbers)
            for number in catalogue.entries.keys where !chosen.contains(number) && passes(number) {
                rest.append(number)
                if rest.count >= 4 * left + 1024 { rest = Array(rest.sorted(by: precedes).prefix(left)) }
            }
            rest = Array(rest.sorted(by: precedes).prefix(left))
        }
        numbers += rest
        return (
            numbers,
            Retrieval(
                candidates: numbers.count, of: catalogue.titled, likedTogether: choice.likedTogether.count,
                popular: choice.popular.count, others: rest.count)
        )
    }
}
