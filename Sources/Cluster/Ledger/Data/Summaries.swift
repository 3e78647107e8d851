import Foundation
import GRDB
import Messages
import Recommendation

/// Counts and digests of shards, splits and reference prompts, brought up to date by what changes.
struct Summaries {
    /// What is counted together.
    enum Place: Hashable {
        case shard(Int)
        case split(Split)
        /// The prompts that adapters are compared on.
        case references
    }

    struct Summary {
        var digest = ManifestDigest()
        var prompts = 0
        var likes = 0
        /// Something was taken out: beside a copy of before the digest would tell what.
        var isReduced = false

        mutating func count(_ prompt: StoredPrompt, _ entry: ManifestDigest.Entry) {
            digest.add(entry)
            prompts += 1
            if prompt.prompt.label { likes += 1 }
        }

        mutating func add(_ other: Summary) {
            digest.add(other.digest)
            prompts += other.prompts
            likes += other.likes
        }

        mutating func remove(_ other: Summary) {
            digest.remove(other.digest)
            prompts -= other.prompts
            likes -= other.likes
            isReduced = true
        }
    }

    private(set) var sums: [Place: Summary] = [:]
    /// Whose digest the ledger has lost: what is counted here is the change alone.
    private(set) var lost: Set<Place> = []
    /// Counted from nothing.
    private(set) var recounted: Set<Place> = []
    /// More of them than before.
    var people = 0
    var interactions = 0

    init() {}

    /// From nothing.
    init(recounting places: Set<Place>) {
        recounted = places
        for place in places { sums[place] = Summary(isReduced: true) }
    }

    /// Counts a prompt where it is counted anew.
    mutating func recount(_ prompt: StoredPrompt) {
        let places = prompt.places.filter(recounted.contains)
        guard !places.isEmpty else { return }
        let entry = ManifestDigest.Entry(id: prompt.id, digest: prompt.digest)
        for place in places { sums[place, default: Summary()].count(prompt, entry) }
    }

    mutating func add(_ prompts: [StoredPrompt], _ ledger: Ledger, _ db: Database) throws {
        for part in Self.summed(prompts) { try combine(part, { $0.add($1) }, ledger, db) }
    }

    mutating func remove(_ prompts: [StoredPrompt], _ ledger: Ledger, _ db: Database) throws {
        for part in Self.summed(prompts) { try combine(part, { $0.remove($1) }, ledger, db) }
    }

    mutating func add(_ person: PersonSummary, _ ledger: Ledger, _ db: Database) throws {
        try combine(Self.summed(person), { $0.add($1) }, ledger, db)
    }

    mutating func remove(_ person: PersonSummary, _ ledger: Ledger, _ db: Database) throws {
        try combine(Self.summed(person), { $0.remove($1) }, ledger, db)
    }

    private static func summed(_ person: PersonSummary) -> [Place: Summary] {
        var sums: [Place: Summary] = [:]
        for part in person.parts {
            let sum = Summary(digest: part.entries.digest, prompts: part.prompts, likes: part.likes)
            for place in part.place.places { sums[place, default: Summary()].add(sum) }
        }
        return sums
    }

    /// Of these prompts alone. Expanding their entries is most of what somebody's prompts cost.
    private static func summed(_ prompts: [StoredPrompt]) -> [[Place: Summary]] {
        guard !prompts.isEmpty else { return [] }
        return prompts.concurrentlyByParts { prompts in
            var sums: [Place: Summary] = [:]
            for prompt in prompts {
                let entry = ManifestDigest.Entry(id: prompt.id, digest: prompt.digest)
                for place in prompt.places { sums[place, default: Summary()].count(prompt, entry) }
            }
            return sums
        }
    }

    private mutating func combine(
        _ others: [Place: Summary], _ operation: (inout Summary, Summary) -> Void, _ ledger: Ledger, _ db: Database
    ) throws {
        for (place, other) in others {
            try touch(place, ledger, db)
            operation(&sums[place, default: Summary()], other)
        }
    }

    /// Has digest and counts written also where no prompt changed.
    mutating func touch(_ place: Place, _ ledger: Ledger, _ db: Database) throws {
        guard sums[place] == nil else { return }
        let known = try ledger.summary(of: place, db)
        if known == nil { lost.insert(place) }
        sums[place] = known ?? Summary()
    }

    /// Whether anything of any shard is another one.
    var touchesShards: Bool { sums.keys.contains { $0.shard != nil } }

    /// Whether anything of the split is another one.
    func touches(_ split: Split) -> Bool { sums[.split(split)] != nil }
}

extension Summaries.Place {
    var shard: Int? { if case .shard(let shard) = self { shard } else { nil } }

    /// Shards first, by number.
    var order: (Int, Int) {
        switch self {
        case .shard(let shard): (0, shard)
        case .split(let split): (1, Split.allCases.firstIndex(of: split) ?? 0)
        case .references: (2, 0)
        }
    }
}

extension StoredPrompt {
    fileprivate var places: [Summaries.Place] {
        PersonSummary.Place(split: prompt.split, shard: shard, isReference: isReference).places
    }
}

extension PersonSummary.Place {
    fileprivate var places: [Summaries.Place] {
        var places: [Summaries.Place] = [.split(split)]
        if isReference { places.append(.references) }
        if let shard { places.append(.shard(shard)) }
        return places
    }
}

extension Ledger {
    /// Writes counts and digests. Returns the shards whose manifest is another one now, in order.
    func write(_ summaries: Summaries, _ db: Database) throws -> [Int] {
        var sums = summaries.sums
        if !summaries.lost.isEmpty { sums.merge(try recounted(summaries.lost, db).sums) { _, anew in anew } }
        let anew = summaries.lost.union(summaries.recounted)
        var changed: [Int] = []
        var written: [(place: Summaries.Place, summary: Summaries.Summary)] = []
        for (place, summary) in sums.sorted(by: { $0.key.order < $1.key.order }) {
            let name = summary.digest.hexadecimal
            let isRenamed = try self.name(of: place, db) != name
            guard isRenamed || anew.contains(place) else { continue }
            written.append((place, summary))
            try write(summary, called: name, of: place, db)
            guard isRenamed, let shard = place.shard else { continue }
            changed.append(shard)
            try dropKey(ofShard: shard, db)
            if summary.prompts == 0 { try emptied(shard: shard, manifest: name, db) }
        }
        try seal(written, db)
        if summaries.people != 0 || summaries.interactions != 0 {
            try db.execute(
                sql: "UPDATE totals SET people = people + ?, interactions = interactions + ?",
                arguments: [summaries.people, summaries.interactions])
        }
        return changed
    }

    /// What they come to today: goes through the people who have prompts there.
    private func recounted(_ places: Set<Summaries.Place>, _ db: Database) throws -> Summaries {
        var summaries = Summaries(recounting: places)
        let context = try promptContext(db)
        try forEachPerson(where: Self.people(in: places), db) { known in
            for prompt in try prompts(of: known, context) { summaries.recount(prompt) }
        }
        return summaries
    }

    /// SQL over `people`, of few terms however many places there are: SQLite takes no expression deeper than 1,000.
    static func people(in places: Set<Summaries.Place>) -> String {
        if places.contains(.split(.train)) || places.contains(.split(.test)) { return "1" }
        var conditions: [String] = []
        let shards = places.compactMap(\.shard).sorted().map(String.init).joined(separator: ", ")
        if !shards.isEmpty { conditions.append("id IN (SELECT person FROM members WHERE shard IN (\(shards)))") }
        if places.contains(.split(.validation)) { conditions.append("validation > 0") }
        if places.contains(.references) { conditions.append("reference > 0") }
        return conditions.isEmpty ? "0" : "(\(conditions.joined(separator: " OR ")))"
    }
}
