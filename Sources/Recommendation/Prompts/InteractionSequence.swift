extension Sequence<Interaction> {
    /// One user's interactions, oldest first.
    ///
    /// Those that share a timestamp keep the order of the file. What the file's order leaves open is decided by item and
    /// rating, so that the result does not depend on the order of the input; of several with the same key the first in
    /// this order stays.
    func sequence(of user: String) -> [Interaction] {
        let sorted = filter { $0.user == user }.sorted {
            ($0.timestamp, $0.ordinal, $0.item, $0.rating) < ($1.timestamp, $1.ordinal, $1.item, $1.rating)
        }
        var seen: Set<InteractionKey> = []
        return sorted.filter { seen.insert($0.key).inserted }
    }
}
