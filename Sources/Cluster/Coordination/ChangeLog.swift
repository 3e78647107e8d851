/// Shards of which something changed, and who has looked at them since. Each step of the coordinator looks at what changed
/// since it last looked, in whatever step that came up.
struct ChangeLog: Sendable {
    enum Reader: Int, CaseIterable { case facts, tasks, forgets, placement, releases }

    private var shards: [Int] = []
    private var read = [Int](repeating: 0, count: Reader.allCases.count)

    /// Whether everybody has looked at everything.
    var isEmpty: Bool { shards.isEmpty }

    mutating func note(_ shard: Int) { shards.append(shard) }
    mutating func note(_ more: some Sequence<Int>) { shards.append(contentsOf: more) }

    /// What the reader has not looked at, each once, by index; it counts as looked at.
    mutating func take(_ reader: Reader) -> [Int] {
        let begin = read[reader.rawValue]
        guard begin < shards.count else { return [] }
        read[reader.rawValue] = shards.count
        guard begin + 1 < shards.count else { return [shards[begin]] }
        var previous: Int?
        return shards[begin...].sorted().filter { shard in
            defer { previous = shard }
            return shard != previous
        }
    }

    /// Drops what everybody has looked at.
    mutating func trim() {
        let done = read.min() ?? 0
        guard done > 0 else { return }
        shards.removeFirst(done)
        for reader in read.indices { read[reader] -= done }
    }
}
