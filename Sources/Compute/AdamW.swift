import CKernels

/// AdamW (arXiv 1711.05101) with decoupled weight decay and bias correction, as a value.
///
/// The state is 32-bit; one step is a pure function of state, parameters, gradient and learning rate.
public struct AdamW: Sendable, Hashable {
    public let beta1: Float
    public let beta2: Float
    public let epsilon: Float
    public let weightDecay: Float
    /// Steps taken so far.
    public private(set) var steps: Int
    /// First and second moments, one value a parameter.
    public private(set) var first: [Float]
    public private(set) var second: [Float]

    public init(
        count: Int, beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: Float = 0
    ) {
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
        steps = 0
        first = [Float](repeating: 0, count: count)
        second = [Float](repeating: 0, count: count)
    }

    /// Goes on where another left off: the same steps follow as there.
    ///
    /// nil: the moments differ in length, or the steps are fewer than none.
    public init?(steps: Int, first: [Float], second: [Float], weightDecay: Float) {
        guard steps >= 0, first.count == second.count else { return nil }
        self.init(count: 0, weightDecay: weightDecay)
        self.steps = steps
        self.first = first
        self.second = second
    }

    /// Moves the parameters one step against the gradient; both must have `count` values.
    public mutating func step(_ parameters: inout [Float], gradient: [Float], learningRate: Float) {
        precondition(
            parameters.count == first.count && gradient.count == first.count,
            "parameters and gradient must have as many values as the optimiser")
        steps += 1
        // Double precision: beta2^t is close to 1 for the first thousand steps.
        let correction1 = 1 - power(Double(beta1), steps)
        let correction2 = 1 - power(Double(beta2), steps)
        lethe_adamw(
            &parameters, &first, &second, gradient, parameters.count, learningRate, beta1, beta2, epsilon, weightDecay,
            Float(1 / correction1), Float(1 / correction2))
    }
}

/// `base` to a whole power by repeated squaring, so that the result does not depend on a math library.
private func power(_ base: Double, _ exponent: Int) -> Double {
    var (result, factor, rest) = (1.0, base, exponent)
    while rest > 0 {
        if rest & 1 == 1 { result *= factor }
        factor *= factor
        rest >>= 1
    }
    return result
}
