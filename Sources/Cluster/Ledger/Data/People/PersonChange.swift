import Messages
import Recommendation

/// What becomes of one person: record and prompts before and after.
struct PersonChange {
    /// nil: new.
    var before: KnownPerson?
    /// nil: gone.
    var after: Person?
    /// Under the partition by user; of the person from now on.
    var shard: Int?
    var old: [StoredPrompt]
    /// In place of `old`, where a whole person goes: then no prompt has to be made.
    private(set) var leaving: PersonSummary?
    var new: [StoredPrompt]
    var difference: PromptDifference<StoredPrompt, StoredPrompt>
    /// Something is forgotten: what was sealed for the person becomes noise.
    var renewsKey = false

    /// - Parameters:
    ///   - shard: the person's from now on, under the partition by user.
    ///   - old: prompts as they are.
    ///   - new: as they are to be, training prompts with the shard that the record gives them.
    init(
        before: KnownPerson?, after: Person?, shard: Int?, old: [StoredPrompt], new: [StoredPrompt],
        renewsKey: Bool = false
    ) {
        self.before = before
        self.after = after
        self.shard = shard
        self.old = old
        self.new = new
        self.renewsKey = renewsKey
        difference = PromptDifference(from: old, to: new)
    }

    /// A whole person goes.
    init(leaving summary: PersonSummary, of person: KnownPerson) {
        self.init(before: person, after: nil, shard: person.shard, old: [], new: [], renewsKey: true)
        leaving = summary
    }

    /// Training prompts that the difference takes away or replaces.
    var lostTrainingPrompts: [StoredPrompt] {
        (difference.deleted + difference.rebuilt.map(\.old)).filter { $0.prompt.split == .train }
    }

    /// Notes in the record which retained interactions an adapter saw in prompts that are gone now.
    ///
    /// - Parameter epoch: of a shard's adapter; nil: there is none that could have.
    mutating func rememberSeen(_ catalogue: Catalogue, epoch: (Int) throws -> Int64?) throws {
        guard var person = after else { return }
        var marks: [InteractionKey: Set<Person.Seen>] = [:]
        for prompt in lostTrainingPrompts {
            guard let shard = prompt.shard, let epoch = try epoch(shard) else { continue }
            for key in prompt.prompt.history + [prompt.prompt.source] {
                marks[key, default: []].insert(Person.Seen(shard: shard, epoch: epoch))
            }
        }
        guard !marks.isEmpty else { return }
        for (index, row) in try person.interactions(catalogue).enumerated() {
            guard let new = marks[row.key] else { continue }
            let known = person.interactions[index].seen
            person.interactions[index].seen =
                known.filter { !new.contains($0) }
                + new.sorted { ($0.shard, $0.epoch) < ($1.shard, $1.epoch) }
        }
        after = person
    }

    /// Where the partition by prompt records it: with the target.
    mutating func recordPlaces(_ catalogue: Catalogue) throws {
        guard var person = after else { return }
        let own = new.filter { $0.prompt.sampledFor == nil }
        let places = Dictionary(own.map { ($0.prompt.target, $0.shard) }, uniquingKeysWith: { first, _ in first })
        for (index, row) in try person.interactions(catalogue).enumerated() {
            person.interactions[index].shard = places[row.key] ?? nil
        }
        after = person
    }

    /// Training prompts of every shard.
    static func members(_ prompts: [StoredPrompt]) -> [Int: Int] {
        prompts.reduce(into: [:]) { counts, prompt in
            if let shard = prompt.shard { counts[shard, default: 0] += 1 }
        }
    }
}
