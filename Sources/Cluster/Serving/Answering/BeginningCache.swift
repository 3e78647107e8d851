import LanguageModels
import Messages

/// Beginnings of prompts that were computed and may be used again: what all prompts begin with, and histories of people who are
/// asked about while they look around.
///
/// A history goes as soon as a forget takes something of its person or its items, and everything goes with the adapters that it
/// was computed under.
package struct BeginningCache {
    /// Bytes of all together; of the default model some 25 kB a token.
    package static let bytes = 64 << 20
    /// Fewer tokens are not worth keeping.
    package static let shortest = 16

    /// What a beginning was computed under.
    package struct Mixture: Hashable, Sendable {
        var rule: AggregationRule
        /// Content names.
        var adapters: [String]

        package init(rule: AggregationRule, adapters: [String]) {
            self.rule = rule
            self.adapters = adapters
        }
    }

    /// Whose history it shows; nil: nobody's.
    package struct Owner: Sendable {
        var person: Int64
        var items: Set<String>

        package init(person: Int64, items: Set<String>) {
            self.person = person
            self.items = items
        }
    }

    private struct Entry {
        var mixture: Mixture
        /// ω
        var weights: [Float]
        var owner: Owner?
        var beginning: KeptBeginning
        var lastUse: UInt64
    }

    private var entries: [Entry] = []
    private var uses: UInt64 = 0

    package init() {}

    package var count: Int { entries.count }

    /// The longest that the prompt begins with, and is longer than.
    package mutating func beginning(of prompt: [Int32], _ mixture: Mixture, weights: [Float]) -> KeptBeginning? {
        var best: Int?
        for (index, entry) in entries.enumerated() {
            let tokens = entry.beginning.tokens
            guard tokens.count > best.map({ entries[$0].beginning.tokens.count }) ?? 0, tokens.count < prompt.count,
                entry.mixture == mixture, entry.weights == weights, prompt.starts(with: tokens)
            else { continue }
            best = index
        }
        guard let best else { return nil }
        uses += 1
        entries[best].lastUse = uses
        return entries[best].beginning
    }

    /// Keeps it, and lets go of what was not used for longest.
    package mutating func keep(_ beginning: KeptBeginning, of owner: Owner?, _ mixture: Mixture, weights: [Float]) {
        uses += 1
        entries.append(
            Entry(mixture: mixture, weights: weights, owner: owner, beginning: beginning, lastUse: uses))
        var bytes = entries.reduce(0) { $0 + $1.beginning.bytes }
        while bytes > Self.bytes, let oldest = entries.indices.min(by: { entries[$0].lastUse < entries[$1].lastUse }) {
            bytes -= entries.remove(at: oldest).beginning.bytes
        }
    }

    package mutating func forget(_ inputs: ForgottenInputs) {
        entries.removeAll { entry in
            !inputs.adapters.isDisjoint(with: entry.mixture.adapters)
                // What prompts of several people began with may be more than what all begin with.
                || entry.owner.map { inputs.people.contains($0.person) || !inputs.items.isDisjoint(with: $0.items) }
                    ?? !(inputs.people.isEmpty && inputs.items.isEmpty)
        }
    }

    /// - Parameter adapters: content names of those that are there.
    package mutating func keepOnly(adapters: Set<String>) {
        entries.removeAll { !adapters.isSuperset(of: $0.mixture.adapters) }
    }

    package mutating func letGo() { entries = [] }
}
