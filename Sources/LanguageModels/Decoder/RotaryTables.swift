import Foundation

/// Cosines and sines of the rotary embedding, `[positions, headDimension / 2]`.
final class RotaryTables {
    let cosine: [Float]
    let sine: [Float]
    let positions: Int

    init(model: ModelConfiguration, positions: Int) {
        let half = model.headDimension / 2
        var (cosine, sine) = ([Float](), [Float]())
        cosine.reserveCapacity(positions * half)
        sine.reserveCapacity(positions * half)
        // As Transformers does: frequencies and angles in 32 bits.
        let frequencies = model.rotaryFrequencies
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
