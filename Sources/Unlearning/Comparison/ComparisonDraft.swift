import Foundation
import Recommendation

/// One version of the data with its prompts, from which forget requests are drawn.
struct ComparisonDraft {
    private let source: ComparisonSource
    private let seed: UInt64
    /// nil: prompts say nothing of slices.
    private let slices: SliceDealing?
    /// Of the data as recorded, what a limit leaves out.
    private var leftOut: Set<String> = []
    /// By position of the person; also those without prompts.
    private var interactions: [[Interaction]]
    private var built: [[Prompt]] = []

    init(source: ComparisonSource, seed: UInt64, limit: Int?, slices: SliceDealing? = nil) {
        self.source = source
        self.seed = seed
        self.slices = slices
        interactions = source.people.map(\.interactions)
        build()
        if let limit {
            leftOut = promptsBeyond(limit)
            build()
        }
    }

    /// Of the training the latest prompts of some users stay, each user's one after another: among single prompts of many
    /// users nothing that is forgotten would stand in another's history. No user has more than a twentieth, so that
    /// 5 % of the users are one. Of the other splits the prompts of these users stay first.
    private func promptsBeyond(_ limit: Int) -> Set<String> {
        var kept: Set<String> = []
        var trained: Set<Int> = []
        let people = source.people.indices.sorted { (order($0, "limit"), $0) < (order($1, "limit"), $1) }
        for person in people where kept.count < limit {
            let prompts = built[person].filter { $0.split == .train }
            guard !prompts.isEmpty else { continue }
            trained.insert(person)
            kept.formUnion(prompts.suffix(min(max(1, limit / 20), limit - kept.count)).map(\.id))
        }
        for split in Split.allCases where split != .train {
            let prompts = people.flatMap { person in
                built[person].filter { $0.split == split }.map {
                    (isOther: trained.contains(person) ? 0 : 1, key: key($0), id: $0.id)
                }
            }
            kept.formUnion(prompts.sorted { ($0.isOther, $0.key) < ($1.isOther, $1.key) }.prefix(limit).map(\.id))
        }
        return Set(built.joined().map(\.id)).subtracting(kept)
    }

    private mutating func build() {
        built = source.people.indices.map { rebuilt(person: $0, without: []) }
    }

    private func key(_ prompt: Prompt) -> UInt64 {
        FieldHash.number(["comparison prompt", String(seed), prompt.split.rawValue, prompt.id])
    }

    /// A person's prompts without some interactions.
    private func rebuilt(person: Int, without forgotten: Set<InteractionKey>) -> [Prompt] {
        let (user, splits) = (source.people[person].user, source.people[person].splits)
        let retained = interactions[person].filter { !forgotten.contains($0.key) }
        var prompts = source.builder.prompts(
            user: user, interactions: retained, titles: { source.titles[$0] }, splits: splits,
            negatives: source.people[person].negatives
        ).filter { !leftOut.contains($0.id) }
        if let slices {
            let slice = source.people[person].slice ?? slices.slice(ofUser: user)
            for index in prompts.indices { prompts[index].slice = slice }
        }
        return prompts
    }

    /// Sorted by id.
    func prompts(of split: Split) -> [ComparisonPrompt] {
        Self.sorted(
            built.enumerated().flatMap { person, prompts in
                prompts.filter { $0.split == split }.map {
                    ComparisonPrompt(prompt: TrainingPrompt($0), user: person)
                }
            })
    }

    private static func sorted(_ prompts: [ComparisonPrompt]) -> [ComparisonPrompt] {
        prompts.sorted { $0.prompt.id < $1.prompt.id }
    }

    /// Thirds of the people that have a test prompt, by their number of interactions.
    func activities() -> [ComparisonPerson] {
        let tested = source.people.indices.filter { person in built[person].contains { $0.split == .test } }
        var people = source.people.map { _ in ComparisonPerson(activity: .middle, isInRandomThird: false) }
        let third = tested.count / 3
        let bySize = tested.sorted {
            (-interactions[$0].count, order($0, "size")) < (-interactions[$1].count, order($1, "size"))
        }
        for person in bySize.prefix(third) { people[person].activity = .core }
        for person in bySize.suffix(third) { people[person].activity = .edge }
        for person in tested.sorted(by: { order($0, "third") < order($1, "third") }).prefix(third) {
            people[person].isInRandomThird = true
        }
        return people
    }

    private func order(_ person: Int, _ use: String) -> UInt64 {
        FieldHash.number(["comparison user", use, String(seed), source.people[person].user])
    }

    // MARK: what is forgotten

    /// The interactions of each request of a kind.
    func selections(of kind: ForgetKind) -> [Set<InteractionKey>] {
        let users = source.people.indices.filter { person in built[person].contains { $0.split == .train } }
        let byHash = users.sorted { (order($0, "forget"), $0) < (order($1, "forget"), $1) }
        let share = min(max(1, Int((kind.amount / 100 * Double(users.count)).rounded())), max(1, users.count - 1))
        func all(_ people: some Sequence<Int>) -> Set<InteractionKey> {
            Set(people.flatMap { interactions[$0].map(\.key) })
        }
        func byActivity(_ sign: Int) -> [Int] {
            byHash.sorted { sign * interactions[$0].count > sign * interactions[$1].count }
        }
        switch kind.target {
        case .users: return [all(byHash.prefix(share))]
        case .core: return [all(byActivity(1).prefix(share))]
        case .edge: return [all(byActivity(-1).prefix(share))]
        // From the other end than `users`, so that the requests differ.
        case .user: return byHash.reversed().prefix(Int(kind.amount)).map { all([$0]) }
        case .interaction: return targets(use: "interaction").prefix(Int(kind.amount)).map { [$0] }
        case .noise: return []
        }
    }

    /// Targets of training prompts that are interactions, in the order of a keyed hash.
    private func targets(use: String) -> [InteractionKey] {
        let prompts = built.joined().filter { $0.split == .train && $0.sampledFor == nil }
        let keyed = prompts.map { (FieldHash.number(["comparison target", use, String(seed), $0.id]), $0) }
        return keyed.sorted { ($0.0, $0.1.id) < ($1.0, $1.1.id) }.map(\.1.target)
    }

    /// Moves the ratings of some training targets to the other side of what counts as a like, and returns which.
    mutating func flipLabels(share: Double) -> Set<InteractionKey> {
        let targets = targets(use: "noise")
        let count = min(max(1, Int((share * Double(targets.count)).rounded())), max(1, targets.count - 1))
        let flipped = Set(targets.prefix(count))
        let bound = source.builder.configuration.likeAbove
        for person in interactions.indices {
            for position in interactions[person].indices
            where flipped.contains(interactions[person][position].key) {
                let isLiked = interactions[person][position].rating > bound
                interactions[person][position].rating = isLiked ? bound : bound + max(1, abs(bound))
            }
        }
        build()
        return flipped
    }

    // MARK: requests

    func batch(_ kind: ForgetKind, index: Int, forgetting forgotten: Set<InteractionKey>) -> ForgetBatch {
        batch(kind, index: index, from: [], to: forgotten)
    }

    /// Single interactions of different prompts, each forgotten after those before it.
    func sequence(of requests: Int) -> [ForgetBatch] {
        var gone: Set<InteractionKey> = []
        var batches: [ForgetBatch] = []
        // At most half of what there is; an earlier request may have taken a prompt with it.
        let targets = targets(use: "sequence")
        for target in targets.prefix(targets.count / 2) where batches.count < requests {
            let next = batch(
                ForgetKind(.interaction, 1), index: batches.count, from: gone, to: gone.union([target]))
            guard !next.training.removed.isEmpty else { continue }
            gone.insert(target)
            batches.append(next)
        }
        return batches
    }

    private func batch(
        _ kind: ForgetKind, index: Int, from before: Set<InteractionKey>, to after: Set<InteractionKey>
    ) -> ForgetBatch {
        let new = after.subtracting(before)
        let users = Set(new.map(\.user))
        var old: [Prompt] = []
        var changed: [Prompt] = []
        var people: [String: Int] = [:]
        for person in source.people.indices where users.contains(source.people[person].user) {
            people[source.people[person].user] = person
            old += before.isEmpty ? built[person] : rebuilt(person: person, without: before)
            changed += rebuilt(person: person, without: after)
        }
        func changes(_ split: Split) -> SplitChanges {
            Self.changes(
                from: old.filter { $0.split == split }, to: changed.filter { $0.split == split }, people: people)
        }
        return ForgetBatch(
            kind: kind, index: index, interactions: new.count, training: changes(.train),
            validation: changes(.validation), test: changes(.test))
    }

    /// A prompt that moved to another split left the one and came into the other.
    private static func changes(from old: [Prompt], to new: [Prompt], people: [String: Int]) -> SplitChanges {
        let difference = PromptDifference(from: old.sorted { $0.id < $1.id }, to: new.sorted { $0.id < $1.id })
        func prompt(_ prompt: Prompt) -> ComparisonPrompt {
            ComparisonPrompt(prompt: TrainingPrompt(prompt), user: people[prompt.user] ?? 0)
        }
        var changes = SplitChanges(removed: difference.deleted.map(\.id), added: difference.added.map(prompt))
        for change in difference.rebuilt where change.changesText {
            changes.replaced.append(
                SplitChanges.Replacement(new: prompt(change.new), forgottenShare: change.forgottenShare))
        }
        return changes
    }
}
