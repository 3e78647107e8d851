import Compute
import LanguageModels

/// Dropout on what an adapter reads, with one mask a step (as in arXiv 1512.05287, so that all tokens and prompts of a batch
/// lack the same features): `y = W·x + s·B·A·(x ∘ m)` with m 0, or 1 / (1 − p) in a share of 1 − p of the places.
///
/// Since `A·(x ∘ m) = (A ∘ m)·x`, a step is computed with the masked A; by the chain rule its gradient is masked once more.
/// PEFT draws a mask for each token instead. A pure function of seed, step and place, like everything in a training.
package struct FeatureDropout {
    private let probability: Float
    private let seed: UInt64

    /// Distinguishes these numbers from those of the initial adapter, whose paths have two elements.
    private static let use: UInt64 = 0x6472_6F70

    /// nil where nothing is dropped.
    package init?(_ specification: TrainingSpecification) {
        guard specification.dropout > 0 else { return nil }
        probability = Float(specification.dropout)
        seed = specification.seed
    }

    /// Multiplies A's columns `[rank, inputs]` of every site, of an adapter or of a gradient, by the mask of a step.
    package func mask(_ values: inout [Float], layout: AdapterLayout, step: Int) {
        let kept = 1 / (1 - probability)
        for site in layout.sites {
            let generator = CounterGenerator(
                seed: seed, path: [Self.use, UInt64(step), UInt64(site.layer), UInt64(site.site.order)])
            for input in 0..<site.inputs {
                let factor = generator.uniform(at: input) < probability ? 0 : kept
                for row in 0..<layout.configuration.rank {
                    values[site.offsetA + row * site.inputs + input] *= factor
                }
            }
        }
    }
}
