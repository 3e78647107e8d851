/// Which of the parameters that a training passes through become its adapter.
public enum WeightAveraging: String, Codable, CaseIterable, Hashable, Sendable {
    /// The last ones.
    case none
    /// The mean of those after every step so far (Polyak and Juditsky 1992; stochastic weight averaging, arXiv 1803.05407). What
    /// was learned last counts no more than what was learned first, and the adapter after a slice is a function of the slices up to
    /// it, as without averaging.
    case steps

    /// What is chosen where nobody says otherwise.
    public static func standard(slices: Int) -> WeightAveraging { slices > 1 ? .steps : .none }
}
