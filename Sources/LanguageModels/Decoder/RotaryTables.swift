import Foundation

/// Cosines and sines of the rotary embedding, `[positions, headDimension / 2]`.
final class RotaryTables {
    let cosine: [Float]
    let sine: [Float]
    let positions: Int

    /// - Parameter turns: false for tables that turn nothing, for layers without rope.
    init(model: ModelConfiguration, positions: Int, turns: Bool = true) {
        let half = model.headDimension / 2
        var (cosine, sine) = ([Float](), [Float]())
        cosine.reserveCapacity(positions * half)
        sine.reserveCapacity(positions * half)
        // As Transformers does: frequencies and angles in 32 bits.
        let frequencies = turns ? model.rotaryFrequencies : [Float](repeating: 0, count: half)
        for position in 0..<positions {
            for frequency in frequencies {
                let angle = Double(Float(position) * frequency)
                cosine.append(Float(cos(angle)))
                sine.append(Float(sin(angle)))
            }
        }
        self.cosine = cosine
        self.sine = sine
        self.positions = positions
    }
}
