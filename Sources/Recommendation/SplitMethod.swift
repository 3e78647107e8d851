/// Which of a user's interactions are asked about in training, validation and test.
public enum SplitMethod: String, Codable, CaseIterable, Sendable {
    /// Per user by time: the last interaction is test, the one before it validation, the others that have enough
    /// history training. Each user for himself.
    case leaveLast = "leave-last"
    /// The TALLRec benchmark's own positions (arXiv 2305.00447): the last 10,000 samples in file order, cut 80/10/10.
    /// The split of a target is fixed when it is imported; "exact" is relative to it.
    case tallrec
}
