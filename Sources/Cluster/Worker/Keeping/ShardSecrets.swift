import Crypto
import Files
import Messages

/// A shard's keys as the store uses them: in memory only, and wiped when they are let go.
struct ShardSecrets: Sendable {
    let shard: SymmetricKey
    /// By name.
    let people: [UInt64: SymmetricKey]

    init(_ keys: ShardKeys) {
        shard = SymmetricKey(raw: keys.shard)
        people = Dictionary(
            keys.people.map { ($0.name, SymmetricKey(raw: $0.key)) }, uniquingKeysWith: { first, _ in first })
    }

    /// Whether what the others sealed for these people is sealed as by these.
    func areSame(as others: ShardSecrets, for people: [UInt64]) -> Bool {
        Set(people).allSatisfy { self.people[$0] != nil && self.people[$0] == others.people[$0] }
    }
}

/// What a box belongs to; it opens nowhere else.
enum SealContext {
    static func prompts(shard: Int, person: UInt64) -> String { "lethe shard \(shard), prompts of \(person)" }
    static func stage(shard: Int, name: String) -> String { "lethe shard \(shard), stage \(name)" }
    static func adapter(shard: Int, name: String) -> String { "lethe shard \(shard), adapter \(name)" }
    static func preparation(shard: Int, adapter: String) -> String {
        "lethe shard \(shard), preparation of \(adapter)"
    }
}
