import CKernels
import Compute
import Testing

/// Every backward kernel against finite differences of its forward, in 32 bits.
struct KernelTests {
    private func numbers(_ count: Int, _ seed: UInt64) -> [Float] {
        CounterGenerator(seed: seed).uniforms(count: count, low: -1, high: 1)
    }

    private func dot(_ left: [Float], _ right: [Float]) -> Double {
        zip(left, right).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }

    /// Compares the derivative of Σ weight·f(x) along every fifth coordinate with the gradient.
    private func check(_ x: [Float], _ gradient: [Float], _ f: ([Float]) -> Double) {
        let scale = gradient.map(abs).max() ?? 0
        for index in stride(from: 0, to: x.count, by: 5) {
            func at(_ step: Float) -> Double {
                var moved = x
                moved[index] += step
                return f(moved)
            }
            let step: Float = 0.02
            let expected = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / Double(12 * step)
            #expect(abs(Double(gradient[index]) - expected) < 1e-3 * Double(scale))
        }
    }

    @Test("RMSNorm", arguments: [16, 37, 64])
    func rmsNorm(width: Int) {
        let (rows, epsilon) = (3, Float(1e-5))
        let (x, w, weight) = (numbers(rows * width, 1), numbers(width, 2), numbers(rows * width, 3))
        func forward(_ x: [Float]) -> (h: [Float], rstd: [Float]) {
            var (h, rstd) = ([Float](repeating: 0, count: x.count), [Float](repeating: 0, count: rows))
            lethe_rmsnorm_forward(lethe_kernel_float32, Int32(rows), Int32(width), x, w, epsilon, nil, &rstd, &h)
            return (h, rstd)
        }
        var gradient = [Float](repeating: 0, count: x.count)
        lethe_rmsnorm_backward(
            lethe_kernel_float32, Int32(rows), Int32(width), weight, x, forward(x).rstd, w, &gradient)
        check(x, gradient) { dot(forward($0).h, weight) }
        var again = [Float](repeating: 0, count: x.count)
        lethe_rmsnorm_apply(lethe_kernel_float32, Int32(rows), Int32(width), x, forward(x).rstd, w, &again)
        #expect(again == forward(x).h)
    }

    @Test("SwiGLU", arguments: [16, 21])
    func swiGLU(width: Int) {
        let rows = 3
        let x = numbers(rows * 2 * width, 1).map { 6 * $0 }
        let weight = numbers(rows * width, 2)
        func forward(_ x: [Float]) -> [Float] {
            var act = [Float](repeating: 0, count: rows * width)
            lethe_swiglu_forward(lethe_kernel_float32, Int32(rows), Int32(width), x, nil, &act)
            return act
        }
        var (saved, again) = (x.map { _ in Float(0) }, [Float](repeating: 0, count: rows * width))
        lethe_swiglu_forward(lethe_kernel_float32, Int32(rows), Int32(width), x, &saved, &again)
        #expect(saved == x)
        lethe_swiglu_apply(lethe_kernel_float32, Int32(rows), Int32(width), saved, &again)
        #expect(again == forward(x))
        var gradient = [Float](repeating: 0, count: x.count)
        lethe_swiglu_backward(lethe_kernel_float32, Int32(rows), Int32(width), x, weight, &gradient)
        check(x, gradient) { dot(forward($0), weight) }
    }

    @Test("The rotary projection turns back what it turned, and adds up the slots")
    func rotary() {
        let (rows, d) = (5, 8)
        let angles = numbers(16 * d / 2, 9).map { Double($0) * 3 }
        let cosine = angles.map { Float(1 - $0 * $0 / 8) }
        let sine = zip(angles, cosine).map { angle, c in
            (angle < 0 ? -1 : 1) * max(0, 1 - c * c).squareRoot()
        }
        let positions: [Int32] = [0, 3, 1, 15, 7]
        let qkv = numbers(rows * 4 * d, 1)
        cosine.withUnsafeBufferPointer { cosine in
            sine.withUnsafeBufferPointer { sine in
                var p = lethe_projection()
                (p.element, p.heads, p.key_value_heads, p.head_dimension) = (lethe_kernel_float32, 2, 1, Int32(d))
                (p.cosine, p.sine) = (cosine.baseAddress, sine.baseAddress)
                var (input, q) = (qkv, [Float](repeating: 0, count: rows * 2 * d))
                var (k, v) = ([Float](repeating: 0, count: rows * d), [Float](repeating: 0, count: rows * d))
                lethe_projection_forward(&p, Int32(rows), &input, positions, &q, &k, &v)
                var unturned: [Float] = []
                for row in 0..<rows { unturned += qkv[(row * 4 * d)..<(row * 4 * d + 2 * d)] }
                #expect(q != unturned)
                // Every row's key and value gradient lies in two slots, of which the second is zero.
                let begin = (0...rows).map { Int32(2 * $0) }
                var slots: [Int32] = []
                for row in 0..<rows { slots += [Int32(row), Int32(rows)] }
                let zero = [Float](repeating: 0, count: d)
                var (back, sum) = ([Float](repeating: 0, count: qkv.count), zero)
                lethe_projection_backward(
                    &p, Int32(rows), q, k + zero, v + zero, begin, slots, positions, &sum, &back)
                for (found, expected) in zip(back, qkv) { #expect(abs(found - expected) < 1e-5) }
            }
        }
    }

    @Test("Low-rank products equal plain sums", arguments: [(3, 7, 5), (40, 64, 16), (33, 48, 24)])
    func lowRank(shape: (rows: Int, inner: Int, columns: Int)) {
        let (rows, inner, columns) = shape
        let (x, w) = (numbers(rows * inner, 1), numbers(inner * columns, 2))
        var scratch = [Float](repeating: 0, count: lethe_lowrank_scratch(Int32(rows), Int32(max(inner, columns))))
        var u = [Float](repeating: 0, count: rows * columns)
        lethe_lowrank_down(
            lethe_kernel_float32, Int32(rows), Int32(inner), Int32(columns), x, Int32(inner), w, Int32(columns), &u,
            Int32(columns), &scratch)
        var up = x
        lethe_lowrank_up(
            Int32(rows), Int32(columns), Int32(inner), u, Int32(columns), numbers(columns * inner, 3), Int32(inner),
            &up,
            Int32(inner))
        var outer = [Float](repeating: 0, count: columns * inner)
        lethe_lowrank_outer(
            lethe_kernel_float32, Int32(rows), Int32(columns), Int32(inner), u, Int32(columns), x, Int32(inner), 2,
            &outer,
            Int32(inner), &scratch)
        let second = numbers(columns * inner, 3)
        for row in 0..<rows {
            for column in 0..<columns {
                let expected = (0..<inner).reduce(Float(0)) { $0 + x[row * inner + $1] * w[$1 * columns + column] }
                #expect(abs(u[row * columns + column] - expected) < 1e-4)
            }
            for column in 0..<inner {
                let expected = (0..<columns).reduce(x[row * inner + column]) {
                    $0 + u[row * columns + $1] * second[$1 * inner + column]
                }
                #expect(abs(up[row * inner + column] - expected) < 1e-4)
            }
        }
        for column in 0..<columns {
            for input in 0..<inner {
                let expected = (0..<rows).reduce(Float(0)) { $0 + u[$1 * columns + column] * x[$1 * inner + input] }
                #expect(abs(outer[column * inner + input] - 2 * expected) < 1e-3)
            }
        }
    }

    @Test("bfloat16 rounds to the nearest even")
    func rounding() {
        let values: [Float] = [1, 1 + 0x1p-8, 1 + 0x3p-8, -1.0 - 0x1.8p-8, 3.3895314e38, 0, -0.0]
        var (half, back) = ([UInt16](repeating: 0, count: values.count), values)
        lethe_to_element(lethe_kernel_bfloat16, values, &half, values.count)
        lethe_from_element(lethe_kernel_bfloat16, half, &back, values.count)
        #expect(back == [1, 1, 1 + 0x1p-6, -1.0 - 0x1p-7, 3.3895314e38, 0, -0.0])
    }
}
