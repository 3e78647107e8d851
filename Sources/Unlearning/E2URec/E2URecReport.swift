/// Where a forgetting by E2URec stands, after every optimiser step.
public struct E2URecProgress: Hashable, Sendable {
    public enum Phase: String, Codable, CaseIterable, Sendable { case augmenting, forgetting, pairing }

    public var phase: Phase
    /// Steps done over all phases, of `steps` or fewer: the phase of forgetting may end early.
    public var step: Int
    public var steps: Int
    /// Loss of the step, in nats.
    public var loss: Double

    public init(phase: Phase, step: Int, steps: Int, loss: Double) {
        self.phase = phase
        self.step = step
        self.steps = steps
        self.loss = loss
    }
}

/// What a forgetting by E2URec took, phase by phase; the augmented model's training is part of it.
public struct E2URecReport: Codable, Hashable, Sendable {
    public var forgotten: Int
    public var retained: Int
    public var parameters: Int
    /// Training of the augmented model on the forget set.
    public var augmenting: PhaseCost
    /// Answers of the original and the augmented model to the prompts that the student learns from.
    public var teaching: PhaseCost
    /// The student on the forget set alone.
    public var forgetting: PhaseCost
    /// The student on pairs of batches.
    public var pairing: PhaseCost
    /// Mean loss of the forget set's labels under the forgetting teacher, in nats; nil in reports of before.
    public var teacherLoss: Double?
    /// Mean loss of the first and of the last epoch of each of the student's phases, in nats; empty without steps.
    public var forgetLosses: [Double]
    public var pairLosses: [Double]

    public var total: PhaseCost { augmenting + teaching + forgetting + pairing }
}
