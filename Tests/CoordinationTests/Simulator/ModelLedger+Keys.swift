import Messages
import Recommendation

/// The folder of keys, as the real ledger uses it: one a person, another one after each forgetting that touches the person.
struct ModelKeys {
    /// By user: whose records and prompts are sealed under which key.
    private(set) var owned: [Int: UInt64] = [:]
    /// Keys that lie in the folder.
    private(set) var living: Set<UInt64> = []
    /// Given up by a commit, and not overwritten yet.
    private(set) var obsolete: Set<UInt64> = []
    /// What forgotten interactions were sealed under.
    private(set) var forgotten: [ModelLedger.Interaction: UInt64] = [:]
    private var next: UInt64 = 1

    init(users: some Sequence<Int>) {
        for user in Set(users).sorted() { give(user) }
    }

    private mutating func give(_ user: Int) {
        owned[user] = next
        living.insert(next)
        next += 1
    }

    /// Part of the commit of a request: the keys of everybody of whom something goes are given up.
    mutating func forget(_ gone: [ModelLedger.Interaction], retained: Set<Int>) {
        for interaction in gone { forgotten[interaction] = owned[interaction.user] }
        for user in Set(gone.map(\.user)).sorted() {
            if let key = owned.removeValue(forKey: user) { obsolete.insert(key) }
            if retained.contains(user) { give(user) }
        }
    }

    mutating func overwrite() {
        living.subtract(obsolete)
        obsolete = []
    }
}

extension ModelLedger {
    /// After the commit and before anybody is told, or at the next start before anything else.
    mutating func overwriteKeys() {
        if !keys.obsolete.isEmpty { keys.overwrite() }
    }

    /// What a worker seals the shard's prompts with.
    func shardKeys(_ shard: Int) -> ShardKeys {
        let users = Dictionary(samples.map { ($0.digest, $0.user) }, uniquingKeysWith: { first, _ in first })
        var people: [PersonKey] = []
        var places: [Int: Int] = [:]
        let owners = manifests[shard].entries.map { entry in
            let user = users[entry.digest] ?? 0
            if let place = places[user] { return place }
            let name = keys.owned[user] ?? 0
            people.append(PersonKey(name: name, key: [UInt8](repeating: UInt8(truncatingIfNeeded: name), count: 32)))
            places[user] = people.count - 1
            return people.count - 1
        }
        return ShardKeys(shard: [UInt8](repeating: 0, count: 32), people: people, owners: owners)
    }
}

extension CoordinatorMessage.Assignment {
    /// The name of the key that a prompt is sealed under; nil: it is not in the manifest.
    func seal(of digest: String) -> UInt64? {
        guard let place = manifest.entries.firstIndex(where: { $0.digest == digest }),
            keys.owners.indices.contains(place)
        else { return nil }
        return keys.people[keys.owners[place]].name
    }
}
