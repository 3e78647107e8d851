/// Which of the parameters that a training passes through become its adapter.
public enum WeightAveraging: String, Codable, CaseIterable, Hashable, Sendable {
    /// The last ones.
    case none
    /// The mean of what there was at the end of each slice so far (stochastic weight averaging, arXiv 1803.05407, with the
    /// slices as its cycles). What was learned last counts no more than what was learned first, and the adapter after a slice
    /// is a function of the slices up to it, as without averaging.
    case slices

    /// What is chosen where nobody says otherwise.
    public static func standard(slices: Int) -> WeightAveraging { slices > 1 ? .slices : .none }
}
