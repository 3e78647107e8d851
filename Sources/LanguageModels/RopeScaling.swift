import Foundation

/// How a checkpoint changes the frequencies of the rotary embedding (arXiv 2104.09864) to reach further.
public enum RopeScaling: Hashable, Sendable {
    /// All frequencies are divided by the factor (position interpolation, arXiv 2306.15595).
    case linear(factor: Double)
    /// Llama 3.1: frequencies whose wave is longer than originalContext ÷ lowFrequencyFactor are divided by the factor, those
    /// with waves shorter than originalContext ÷ highFrequencyFactor stay, with a linear passage between
    /// (arXiv 2407.21783; the formula is that of the published reference code).
    case llama3(factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalContext: Int)
    /// Each frequency has a divisor of its own: llama.cpp's tensor `rope_freqs.weight`, `[headDimension / 2]`.
    case divisors([Float])

    /// What is wrong with the numbers, nil if nothing is.
    func problem(headDimension: Int) -> String? {
        func isFactor(_ value: Double) -> Bool { value.isFinite && value > 0 }
        switch self {
        case .linear(let factor):
            return isFactor(factor) ? nil : "the rope scaling's factor \(factor) is impossible"
        case .llama3(let factor, let low, let high, let context):
            let isPossible = isFactor(factor) && isFactor(low) && high.isFinite && high > low && context > 0
            return isPossible
                ? nil : "the rope scaling llama3 with factors \(factor), \(low), \(high) over \(context) is impossible"
        case .divisors(let divisors):
            let isPossible = divisors.count == headDimension / 2 && divisors.allSatisfy { $0.isFinite && $0 > 0 }
            return isPossible ? nil : "the rope frequencies' divisors are not \(headDimension / 2) positive numbers"
        }
    }

    /// In 32 bits, as Transformers computes.
    func scaled(_ frequencies: [Float]) -> [Float] {
        switch self {
        case .linear(let factor): return frequencies.map { $0 / Float(factor) }
        case .divisors(let divisors): return zip(frequencies, divisors).map { $0 / $1 }
        case .llama3(let factor, let low, let high, let context):
            let (longest, shortest) = (Float(Double(context) / low), Float(Double(context) / high))
            return frequencies.map { frequency in
                let wave = Float(2 * Double.pi) / frequency
                if wave > longest { return frequency / Float(factor) }
                if wave < shortest { return frequency }
                let passage = (Float(context) / wave - Float(low)) / Float(high - low)
                return (1 - passage) * frequency / Float(factor) + passage * frequency
            }
        }
    }
}

extension ModelConfiguration {
    /// Radians a position, `[headDimension / 2]`, in 32 bits as Transformers computes.
    package var rotaryFrequencies: [Float] {
        let frequencies = (0..<headDimension / 2).map { index in
            1 / Float(pow(ropeTheta, Double(2 * index) / Double(headDimension)))
        }
        return ropeScaling?.scaled(frequencies) ?? frequencies
    }
}
