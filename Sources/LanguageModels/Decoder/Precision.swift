import Compute

/// In which type frozen weights and activations enter matrix products. Sums, norms, softmax, the adapter and its
/// gradient are 32-bit in both.
public enum Precision: String, Codable, CaseIterable, Hashable, Sendable {
    /// bfloat16 inputs, 32-bit sums; on a CPU without bfloat16 products the weights are rounded to bfloat16 and the
    /// products are 32-bit.
    case bf16
    case f32

    /// How this machine stores weights and activations.
    var element: Element { self == .bf16 && Element.hasFastBfloat16 ? .bfloat16 : .float32 }
}
