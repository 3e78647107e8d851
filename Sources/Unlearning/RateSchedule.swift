/// How the learning rate goes on after its warm-up.
public enum RateSchedule: String, Codable, CaseIterable, Hashable, Sendable {
    /// It stays.
    case constant
    /// It falls in a straight line, to one step's share of the way at the last step: over each slice anew, so that what was
    /// learned from the first slices does not depend on how many prompts come after them.
    case linear
}
