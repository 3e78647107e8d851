import Unlearning

/// A forget set in its two parts. A deleted prompt was learned and is nowhere any more; of a rebuilt one the model still knows the
/// target, with another history: the two distances mean different things, and in their mean the larger part hides the other.
struct ForgottenParts {
    /// Prompt by prompt.
    let isDeleted: [Bool]

    /// The values of one part's prompts.
    func values<Value>(of part: ForgetPart, _ all: [Value]) -> [Value] {
        zip(isDeleted, all).compactMap { $0.0 == (part == .deleted) ? $0.1 : nil }
    }

    /// nil: the part has no prompt.
    func divergence(of part: ForgetPart, _ margins: [Float], _ reference: [Float]) -> DivergenceSummary? {
        let own = values(of: part, margins)
        return own.isEmpty ? nil : DivergenceSummary(margins: own, reference: values(of: part, reference))
    }
}
