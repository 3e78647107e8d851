/// Why a coordinator is not followed, or does not go on: another one of its cluster came after it.
public struct SupersededCoordinator: Error, Hashable, Sendable, CustomStringConvertible {
    public var cluster: String
    public var generation: Generation
    /// What was seen of the other one.
    public var known: Generation

    package init(cluster: String, generation: Generation, known: Generation) {
        self.cluster = cluster
        self.generation = generation
        self.known = known
    }

    public var description: String {
        let name = "the coordinator of cluster \(cluster) (generation \(generation.counter))"
        let advice =
            "it may answer from data that was forgotten; find the one that is right, and start only that "
            + "(lethe coordinator --take-over, if it is this one)"
        return known.counter > generation.counter
            ? "\(name) is superseded: generation \(known.counter) was seen; it was started from an older copy of the data "
                + "directory, and \(advice)"
            : "\(name) is not the one that was seen before as generation \(known.counter): two were started from copies of "
                + "one data directory, and \(advice)"
    }
}

extension ClientError {
    package init(_ superseded: SupersededCoordinator) {
        self.init(code: .superseded, message: superseded.description)
    }
}
