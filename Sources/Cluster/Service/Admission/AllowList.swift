import Coordination
import Messages
import ZeroMQ

/// The keys that may connect, as they are in force: from the list, from single files and folders of them.
package struct AllowList: Sendable {
    /// One key's rights, and what logs call it: another name for each.
    package struct Grant: Hashable, Sendable {
        package var entry: KeyEntry
        package var name: String
    }

    /// In the order in which they were named.
    package private(set) var grants: [Grant] = []
    private var positions: [String: Int] = [:]
    private var taken: Set<String> = []

    package init() {}

    /// - Parameter entries: of a key that comes twice the first counts.
    package init(_ entries: [KeyEntry]) {
        for entry in entries { add(entry) }
    }

    /// - Returns: false for a key that is there already.
    @discardableResult
    package mutating func add(_ entry: KeyEntry) -> Bool {
        guard positions[entry.key.text] == nil else { return false }
        positions[entry.key.text] = grants.count
        var name = entry.name ?? entry.key.shortName
        // Nobody is to be taken for another one, or for somebody without a key.
        if name == ClientTicket.nameWithoutKey || taken.contains(name) { name += " \(entry.key.shortName)" }
        if taken.contains(name) { name = "key \(entry.key.text)" }
        taken.insert(name)
        grants.append(Grant(entry: entry, name: name))
        return true
    }

    /// - Parameter key: Z85.
    package func grant(of key: String) -> Grant? { positions[key].map { grants[$0] } }

    package var names: [CurvePublicKey: String] {
        Dictionary(grants.map { ($0.entry.key, $0.name) }) { first, _ in first }
    }
}
