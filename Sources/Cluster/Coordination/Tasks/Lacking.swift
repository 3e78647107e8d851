/// What a worker says that it lacks for a task, of one kind: what it says again is news once more after a reconnection only, and
/// not for ever.
struct Lacking: Sendable {
    /// The fewest that were asked for.
    private var fewest: Int?
    private var names: Set<String> = []
    private var mayBeginAnew = false
    private var beginnings = 0

    mutating func reopen() { mayBeginAnew = true }

    /// Each answer leaves fewer, whatever they are.
    mutating func news(_ count: Int) -> TaskHeadway.News { news(count, []) }

    /// The answer to one question may leave others, which somebody else was to bring.
    mutating func news(_ names: [String]) -> TaskHeadway.News { news(names.count, names) }

    private mutating func news(_ count: Int, _ asked: [String]) -> TaskHeadway.News {
        defer { mayBeginAnew = false }
        let isLess = fewest.map { count < $0 } ?? true
        guard isLess || !names.isSuperset(of: asked) else {
            guard mayBeginAnew, beginnings < CoordinatorLimits.askedAnew else { return .repeats }
            beginnings += 1
            (fewest, names) = (count, Set(asked))
            return .says
        }
        fewest = min(fewest ?? count, count)
        names.formUnion(asked)
        return .moves
    }
}
