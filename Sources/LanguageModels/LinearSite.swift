/// The linear layers of a decoder block that may carry a low-rank adapter.
///
/// Raw values are the module names of Hugging Face checkpoints, which PEFT's `target_modules` uses too. The order of the
/// cases is the order in which sites are stored inside an adapter.
public enum LinearSite: String, Codable, CaseIterable, Hashable, Sendable, Comparable {
    case query = "q_proj"
    case key = "k_proj"
    case value = "v_proj"
    case output = "o_proj"
    case gate = "gate_proj"
    case up = "up_proj"
    case down = "down_proj"

    public static func < (left: LinearSite, right: LinearSite) -> Bool {
        left.order < right.order
    }

    /// The position among `allCases`.
    public var order: Int {
        switch self {
        case .query: 0
        case .key: 1
        case .value: 2
        case .output: 3
        case .gate: 4
        case .up: 5
        case .down: 6
        }
    }
}
