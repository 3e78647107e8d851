import Files

/// Adapters in memory, by content name, so that each travels once. Bounded by bytes; those that were used longest ago go
/// first.
package struct AdapterCache: Sendable {
    package static let limit = 256 << 20

    private let limit: Int
    private var entries: [String: [UInt8]] = [:]
    /// Those used last are last.
    private var names: [String] = []
    private(set) var bytes = 0

    package init(limit: Int = Self.limit) {
        self.limit = limit
    }

    package subscript(name: String) -> [UInt8]? { entries[name] }

    /// - `needed`: what must stay, however many bytes it is.
    package mutating func keep(_ adapter: [UInt8], named name: String, needed: Set<String>) {
        drop([name])
        entries[name] = adapter
        names.append(name)
        bytes += adapter.count
        trim(needed: needed)
    }

    package mutating func used(_ used: [String]) {
        let set = Set(used)
        names = names.filter { !set.contains($0) } + used.filter { entries[$0] != nil }.uniqued
        // The next task is likely to need the same.
        trim(needed: set)
    }

    package mutating func drop(_ gone: [String]) {
        let gone = Set(gone.filter { entries[$0] != nil })
        guard !gone.isEmpty else { return }
        for name in gone { bytes -= entries.removeValue(forKey: name)?.count ?? 0 }
        names.removeAll { gone.contains($0) }
    }

    private mutating func trim(needed: Set<String>) {
        guard bytes > limit else { return }
        for name in names where bytes > limit && !needed.contains(name) { drop([name]) }
    }
}

extension [String] {
    /// Each once, in the order of the first.
    var uniqued: [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}
