import Compute
import Testing

struct OptimiserTests {
    @Test("AdamW follows its formula in double precision")
    func formula() {
        var optimiser = AdamW(count: 3, weightDecay: 0.1)
        var parameters: [Float] = [0.5, -1, 2]
        var expected = parameters.map(Double.init)
        var (first, second) = ([0.0, 0, 0], [0.0, 0, 0])
        for step in 1...20 {
            let gradient = (0..<3).map { Float(($0 + 1) * ((step * 7) % 5 - 2)) * 0.1 }
            optimiser.step(&parameters, gradient: gradient, learningRate: 0.01)
            for index in 0..<3 {
                let g = Double(gradient[index])
                first[index] = 0.9 * first[index] + 0.1 * g
                second[index] = 0.999 * second[index] + 0.001 * g * g
                var (c1, c2) = (1.0, 1.0)
                for _ in 0..<step { (c1, c2) = (c1 * 0.9, c2 * 0.999) }
                let move = first[index] / (1 - c1) / ((second[index] / (1 - c2)).squareRoot() + 1e-8)
                expected[index] -= 0.01 * (move + 0.1 * expected[index])
            }
        }
        for (found, wanted) in zip(parameters, expected) { #expect(abs(Double(found) - wanted) < 1e-5) }
        #expect(optimiser.steps == 20)
    }

    @Test("A copy of the optimiser goes on by itself")
    func value() {
        var one = AdamW(count: 1)
        var parameters: [Float] = [1]
        one.step(&parameters, gradient: [1], learningRate: 0.1)
        let two = one
        one.step(&parameters, gradient: [1], learningRate: 0.1)
        #expect(two.steps == 1 && one.steps == 2 && two != one)
    }
}

struct CounterGeneratorTests {
    @Test("Words at a position depend on seed, path and position only")
    func function() {
        let generator = CounterGenerator(seed: 7, path: [1, 2])
        #expect(generator.word(at: 1000) == CounterGenerator(seed: 7, path: [1, 2]).word(at: 1000))
        let words = [
            generator.word(at: 0), generator.word(at: 1), generator.word(at: 4),
            CounterGenerator(seed: 8, path: [1, 2]).word(at: 0), CounterGenerator(seed: 7, path: [2, 1]).word(at: 0),
            CounterGenerator(seed: 7, path: [1, 2, 0]).word(at: 0),
        ]
        #expect(Set(words).count == words.count)
    }

    @Test("Philox gives the published values")
    func known() {
        // Random123's known answers for philox4x32-10: counter and key all zero, and all ones.
        #expect(
            CounterGenerator.philox(counter: (0, 0, 0, 0), key: (0, 0)) == (
                0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8
            ))
        let ones = UInt32.max
        #expect(
            CounterGenerator.philox(counter: (ones, ones, ones, ones), key: (ones, ones)) == (
                0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD
            ))
    }

    @Test("Uniform and normal numbers have the right moments")
    func moments() {
        let generator = CounterGenerator(seed: 1)
        let count = 20000
        let uniform = generator.uniforms(count: count, low: -1, high: 1).map(Double.init)
        #expect(uniform.allSatisfy { $0 >= -1 && $0 < 1 })
        #expect(abs(uniform.reduce(0, +) / Double(count)) < 0.02)
        #expect(abs(uniform.map { $0 * $0 }.reduce(0, +) / Double(count) - 1.0 / 3) < 0.01)
        let normal = generator.normals(count: count).map(Double.init)
        #expect(abs(normal.reduce(0, +) / Double(count)) < 0.03)
        #expect(abs(normal.map { $0 * $0 }.reduce(0, +) / Double(count) - 1) < 0.05)
        #expect(abs(normal.map { $0 * $0 * $0 * $0 }.reduce(0, +) / Double(count) - 3) < 0.3)
    }
}
