import CKernels
import Compute

// Norm of heads: each head's query and key, x ← x · rstd · w with rstd = 1/√(mean x² + ε), before they are turned.
//   input     [q k v] [rows, (heads + 2 kv)·d] in 32 bits
//   output    q and k in place
//   kept      q and k before, in 32 bits (`headInput`), from which rstd is made again
//   backward  dq and dk of [dq dk dv] in place, elements: dx = rstd · (w·dy − x̂ · mean(w·dy·x̂)), x̂ = x · rstd
extension DecoderPass {
    private var headsNormed: Int { model.heads + model.keyValueHeads }

    func headNormForward(_ index: Int, _ rows: RowBlock, projections: UnsafeMutablePointer<Float>) {
        guard model.headNorm == .rms else { return }
        let (width, normed, d) = (queryWidth + 2 * keyWidth, queryWidth + keyWidth, model.headDimension)
        for row in 0..<rows.count {
            let values = projections + row * width
            if training {
                (layer(index).headInput + (rows.start + row) * normed).update(from: values, count: normed)
            }
            for head in 0..<headsNormed {
                let (x, weight) = (values + head * d, headWeight(index, head))
                let scale = scale(x)
                for column in 0..<d { x[column] = x[column] * scale * weight[column] }
            }
        }
    }

    /// - Parameter floats: scratch of a block's projections.
    func headNormBackward(
        _ index: Int, _ rows: RowBlock, gradient: UnsafeMutableRawPointer, floats: UnsafeMutablePointer<Float>
    ) {
        guard model.headNorm == .rms else { return }
        let (width, normed, d) = (queryWidth + 2 * keyWidth, queryWidth + keyWidth, model.headDimension)
        for row in 0..<rows.count {
            let elements = gradient + bytes(row * width)
            lethe_from_element(element.kernel, elements, floats, normed)
            let input = layer(index).headInput + (rows.start + row) * normed
            for head in 0..<headsNormed {
                let (x, dy, weight) = (input + head * d, floats + head * d, headWeight(index, head))
                let scale = scale(x)
                var mean: Float = 0
                for column in 0..<d { mean += weight[column] * dy[column] * x[column] * scale }
                mean /= Float(d)
                for column in 0..<d {
                    dy[column] = scale * (weight[column] * dy[column] - x[column] * scale * mean)
                }
            }
            lethe_to_element(element.kernel, floats, elements, normed)
        }
    }

    /// 1/rms of a head. Summed in one order: the same input gives the same bits.
    private func scale(_ x: UnsafeMutablePointer<Float>) -> Float {
        var sum: Float = 0
        for column in 0..<model.headDimension { sum += x[column] * x[column] }
        return 1 / (sum / Float(model.headDimension) + Float(model.rmsNormEpsilon)).squareRoot()
    }

    private func headWeight(_ index: Int, _ head: Int) -> UnsafePointer<Float> {
        weights.floats(head < model.heads ? .queryNorm : .keyNorm, layer: index)
    }
}
