/// Who likes what, in memory: how many people like an item, and how many like two of them. Candidates of a large catalogue are
/// chosen by these numbers (`choose`).
///
/// A person counts with the last `window` items that they like, and with these alone, so that nobody counts for more than others
/// and a person's part is changed in the time that these take.
///
/// Why in memory, and only there: numbers of pairs say who has what as soon as few people make one up, and two copies of a disk
/// from before and after a forget would say by their difference what the person had, whatever the numbers are. Sealed they would
/// have to be sealed anew, all that name one of some dozens of items, with each person who comes or goes. So nothing of them is on
/// any disk, as the catalogue's counts of uses are not: they are made when the ledger is opened, in the pass over the records that
/// makes those, and follow every write from then on (`Catalogue`).
///
/// Memory holds some twenty bytes for each of a person's likes (54 MB for 100,000 people with 32 each, 200 MB for a million with
/// ten), and not the pairs, of which there are many more: they are counted when they are asked for. For that at most `sample`
/// people of each of a question's items are gone through: the first in the order of a keyed hash of their names, whatever the
/// order in which they came. So a question takes as long however many people there are (6 ms for 32 items on one core, of a
/// million people or of a hundred thousand), and has the same answer in every ledger of the same data.
struct LikeCounts {
    /// Items with which one person counts.
    static let window = 32
    /// A number of fewer people tells of each of them, and is not used.
    static let fewest = 5
    /// People who are gone through for one item of a question.
    static let sample = 1024

    /// What was chosen, by what; best first.
    struct Choice: Equatable {
        /// Liked by those who like what the question's person likes.
        var likedTogether: [Int64] = []
        /// Liked by most.
        var popular: [Int64] = []

        var count: Int { likedTogether.count + popular.count }
    }

    /// Places of people by their number in the ledger.
    private var people: [Int64: UInt32] = [:]
    /// By a person's place: what decides who is gone through, and the places of the items, the latest first.
    private var draws: [UInt64] = []
    private var likes: [[UInt32]] = []
    private var freePeople: [UInt32] = []

    /// Places of items by their number in the catalogue: of those that somebody likes.
    private var items: [Int64: UInt32] = [:]
    /// By an item's place.
    private var numbers: [Int64] = []
    private var fans: [Fans] = []
    private var freeItems: [UInt32] = []
    private var order = CountOrder()

    /// Items that somebody likes, with how many people do.
    var popularity: [Int64: Int] { items.mapValues { order.count(of: $0) } }

    /// Numbers of the items that the person counts with, the latest first.
    func likes(of person: Int64) -> [Int64] {
        people[person].map { likes[Int($0)].map { numbers[Int($0)] } } ?? []
    }

    // MARK: who comes and goes

    /// - Parameters:
    ///   - new: different items, the latest first; none: the person is gone.
    ///   - draw: what decides who is gone through.
    mutating func set(_ new: [Int64], of person: Int64, draw: UInt64) {
        if let place = people[person], new.isEmpty || draws[Int(place)] != draw { remove(person, at: place) }
        guard !new.isEmpty else { return }
        let place = people[person] ?? add(person, draw)
        let before = likes[Int(place)]
        let after = new.map { item in itemPlace(item) }
        for item in after where !before.contains(item) {
            fans[Int(item)].add(place)
            order.increment(item)
        }
        likes[Int(place)] = after
        for item in before where !after.contains(item) { removeFan(place, of: item) }
    }

    /// After many were set: nobody who comes later has to wait until they are sorted.
    mutating func settle() {
        for item in fans.indices { fans[item].sort(draws) }
    }

    private mutating func add(_ person: Int64, _ draw: UInt64) -> UInt32 {
        let place: UInt32
        if let free = freePeople.popLast() {
            place = free
            draws[Int(free)] = draw
        } else {
            place = UInt32(draws.count)
            draws.append(draw)
            likes.append([])
        }
        people[person] = place
        return place
    }

    private mutating func remove(_ person: Int64, at place: UInt32) {
        for item in likes[Int(place)] { removeFan(place, of: item) }
        likes[Int(place)] = []
        draws[Int(place)] = 0
        people[person] = nil
        freePeople.append(place)
    }

    private mutating func itemPlace(_ number: Int64) -> UInt32 {
        if let place = items[number] { return place }
        let place: UInt32
        if let free = freeItems.popLast() {
            place = free
            numbers[Int(free)] = number
        } else {
            place = order.add()
            numbers.append(number)
            fans.append(Fans())
        }
        items[number] = place
        return place
    }

    private mutating func removeFan(_ person: UInt32, of item: UInt32) {
        fans[Int(item)].remove(person, draws)
        order.decrement(item)
        guard order.count(of: item) == 0 else { return }
        items[numbers[Int(item)]] = nil
        numbers[Int(item)] = 0
        freeItems.append(item)
    }

    // MARK: what is asked

    /// The best candidates for whoever likes `liked`.
    ///
    /// First come those that are liked together with these: an item's score is the sum, over these, of the share of its people
    /// who like the item too, divided by the square root of how many like the item (Deshpande and Karypis 2004, with α = 1/2).
    /// Then come those that most people like. No number of fewer than `fewest` people has a part in either.
    ///
    /// - Parameters:
    ///   - liked: numbers of items, the latest first; more than `window` are not looked at.
    ///   - count: how many at most.
    ///   - isCandidate: whether an item may be chosen at all.
    ///   - precedes: an order of all items, for those that are as good as each other.
    mutating func choose(
        likedBy liked: [Int64], most count: Int, isCandidate: (Int64) -> Bool, precedes: (Int64, Int64) -> Bool
    ) -> Choice {
        var choice = Choice()
        let scored = scores(liked.prefix(Self.window)).filter { isCandidate($0.item) }.sorted { left, right in
            left.score == right.score ? precedes(left.item, right.item) : left.score > right.score
        }
        choice.likedTogether = scored.prefix(max(0, count)).map(\.item)
        let chosen = Set(choice.likedTogether)
        order.forEachBlock(from: Self.fewest) { block in
            let left = count - choice.count
            guard left > 0 else { return false }
            let passing = block.map { numbers[Int($0)] }.filter { !chosen.contains($0) && isCandidate($0) }
            choice.popular += passing.sorted(by: precedes).prefix(left)
            return true
        }
        return choice
    }

    private mutating func scores(_ liked: ArraySlice<Int64>) -> [(item: Int64, score: Double)] {
        // Of each item, and of the one that is looked at; with those that have any.
        var scores = [Double](repeating: 0, count: numbers.count)
        var together = [Int](repeating: 0, count: numbers.count)
        var (scored, counted): ([UInt32], [UInt32]) = ([], [])
        for number in liked {
            guard let item = items[number], order.count(of: item) >= Self.fewest else { continue }
            let looked = fans[Int(item)].first(Self.sample, draws)
            for person in looked {
                for other in likes[Int(person)] where other != item {
                    if together[Int(other)] == 0 { counted.append(other) }
                    together[Int(other)] += 1
                }
            }
            for other in counted {
                let people = together[Int(other)]
                together[Int(other)] = 0
                guard people >= Self.fewest else { continue }
                if scores[Int(other)] == 0 { scored.append(other) }
                let popularity = Double(order.count(of: other))
                scores[Int(other)] += Double(people) / (Double(looked.count) * popularity.squareRoot())
            }
            counted.removeAll(keepingCapacity: true)
        }
        return scored.map { (numbers[Int($0)], scores[Int($0)]) }
    }
}

/// Places of the people who like an item.
struct Fans {
    private var people: [UInt32] = []
    /// So many are in the order of their draws; who came since stands behind them.
    private var sorted = 0

    mutating func add(_ person: UInt32) { people.append(person) }

    mutating func remove(_ person: UInt32, _ draws: [UInt64]) {
        sort(draws)
        let start = people.partitioningIndex { draws[Int($0)] >= draws[Int(person)] }
        guard let index = people[start...].firstIndex(of: person) else { return }
        people.remove(at: index)
        sorted = people.count
    }

    /// The first so many, and those whose draw is that of the last of them.
    mutating func first(_ count: Int, _ draws: [UInt64]) -> ArraySlice<UInt32> {
        sort(draws)
        guard count < people.count else { return people[...] }
        let last = draws[Int(people[count - 1])]
        return people[..<people.partitioningIndex { draws[Int($0)] > last }]
    }

    /// So few are put in one by one.
    private static let few = 64

    mutating func sort(_ draws: [UInt64]) {
        guard sorted < people.count else { return }
        func precedes(_ left: UInt32, _ right: UInt32) -> Bool { draws[Int(left)] < draws[Int(right)] }
        let new = people[sorted...].sorted(by: precedes)
        guard new.count > Self.few else {
            people.removeLast(new.count)
            for person in new { people.insert(person, at: people.partitioningIndex { precedes(person, $0) }) }
            sorted = people.count
            return
        }
        var merged: [UInt32] = []
        merged.reserveCapacity(people.count)
        var position = 0
        for person in new {
            while position < sorted, precedes(people[position], person) {
                merged.append(people[position])
                position += 1
            }
            merged.append(person)
        }
        merged += people[position..<sorted]
        people = merged
        sorted = people.count
    }
}
