/// How the learning rate goes on after its warm-up.
public enum RateSchedule: String, Codable, CaseIterable, Hashable, Sendable {
    /// It stays.
    case constant
    /// It falls in a straight line, to one step's share of the way at the last step.
    case linear
}
