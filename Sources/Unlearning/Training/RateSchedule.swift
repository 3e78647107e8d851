/// How the learning rate goes on after its warm-up.
public enum RateSchedule: String, Codable, CaseIterable, Hashable, Sendable {
    /// It stays.
    case constant
    /// It falls in a straight line, to one step's share of the way at the last step.
    case linear
}

extension TrainingSpecification {
    /// The rate of a step of `steps`, counted from 1: rises linearly over the warm-up steps, then follows the schedule.
    package func learningRate(step: Int, of steps: Int) -> Float {
        guard step >= warmupSteps else { return Float(learningRate * Double(step) / Double(warmupSteps)) }
        switch schedule {
        case .constant: return Float(learningRate)
        case .linear:
            let first = max(warmupSteps, 1)
            return Float(learningRate * Double(steps - step + 1) / Double(max(steps - first + 1, 1)))
        }
    }
}
