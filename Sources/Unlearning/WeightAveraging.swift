/// Which of the parameters that a training passes through become its adapter.
///
/// With a mean, after step t: θ̄ ← θ̄ + (θ − θ̄)·(η + 1)/(t + η), from θ̄ = 0 (Shamir and Zhang 2013, arXiv 1212.1824).
/// So the adapter after a slice is a function of the slices up to it, as without averaging.
public enum WeightAveraging: String, Codable, CaseIterable, Hashable, Sendable {
    /// The last ones.
    case none
    /// The mean of those after every step so far, η = 0 (Polyak and Juditsky 1992; stochastic weight averaging, arXiv 1803.05407):
    /// what was learned last counts no more than what was learned first, also the first steps, in which little was learned.
    case steps
    /// The later a step the more it counts, like t^η, η = 3 as its authors have it: most of the mean is of the second half.
    case polynomial

    /// What is chosen where nobody says otherwise.
    public static func standard(slices: Int) -> WeightAveraging { slices > 1 ? .polynomial : .none }

    /// η; nil: there is no mean.
    var degree: Float? {
        switch self {
        case .none: nil
        case .steps: 0
        case .polynomial: 3
        }
    }
}
