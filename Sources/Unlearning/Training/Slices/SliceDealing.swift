import Recommendation

/// How the prompts of a shard are dealt to the slices that it is trained in.
///
/// By a keyed hash of the user where the partition keeps users whole, else by one of the prompt's id: so that who comes or
/// goes moves nobody else. Slices are of about one size, and some may be empty.
public struct SliceDealing: Hashable, Sendable {
    public let slices: Int
    private let seed: UInt64

    public init(_ specification: TrainingSpecification) {
        slices = specification.slices
        seed = specification.seed
    }

    /// From 1.
    public func slice(ofUser user: String) -> Int { slice(["slice of a user", String(seed), user]) }

    /// What a prompt says of its user's slice counts, then its id. From 1.
    ///
    /// - Throws: `UnlearningError.noSuchSlice`.
    public func slice(of prompt: TrainingPrompt) throws -> Int {
        guard slices > 1 else { return 1 }
        guard let slice = prompt.slice else { return slice(["slice of a prompt", String(seed), prompt.id]) }
        guard (1...slices).contains(slice) else {
            throw UnlearningError.noSuchSlice(sample: prompt.id, slice: slice, slices: slices)
        }
        return slice
    }

    private func slice(_ fields: [String]) -> Int {
        1 + Int(FieldHash.number(fields).multipliedFullWidth(by: UInt64(max(slices, 1))).high)
    }
}

extension TrainingSpecification {
    /// What people's prompts are to say of their slice under this partition; nil: nothing, they are dealt one by one.
    public func dealing(of partition: PartitionMethod) -> SliceDealing? {
        slices > 1 && (partition == .user || partition == .userHash) ? SliceDealing(self) : nil
    }
}
