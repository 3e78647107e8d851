import Compute
import Testing

struct MatrixProductTests {
    private func numbers(_ count: Int, _ seed: UInt64) -> [Float] {
        CounterGenerator(seed: seed).uniforms(count: count, low: -1, high: 1)
    }

    @Test("Products equal sums of products, for packed layouts shared by several numbers of rows")
    func plain() throws {
        for (inputs, outputs) in [(32, 48), (17, 5), (64, 130)] {
            let weights = numbers(inputs * outputs, 1)
            let base = try MatrixProduct(
                rows: 128, inputs: inputs, outputs: outputs, element: .float32, result: .float32)
            let packed = try AlignedMemory(bytes: base.packedBytes)
            try base.pack(weights, inputStride: outputs, outputStride: 1, into: packed.pointer)
            for rows in [16, 48, 128] {
                let product = try MatrixProduct(
                    rows: rows, inputs: inputs, outputs: outputs, element: .float32, result: .float32,
                    accumulate: rows == 48, like: base)
                #expect(product.packedBytes == base.packedBytes)
                let x = numbers(rows * inputs, 2)
                var y = [Float](repeating: 1, count: rows * outputs)
                let scratch = try AlignedMemory(bytes: product.scratchBytes)
                try product.execute(x, packed.pointer, &y, scratch: scratch.pointer)
                for row in 0..<rows {
                    for output in 0..<outputs {
                        var expected: Float = rows == 48 ? 1 : 0
                        for input in 0..<inputs {
                            expected += x[row * inputs + input] * weights[input * outputs + output]
                        }
                        #expect(abs(y[row * outputs + output] - expected) < 1e-4)
                    }
                }
            }
        }
    }

    @Test("Packing with exchanged strides transposes")
    func transposed() throws {
        let weights = numbers(6 * 8, 3)
        let product = try MatrixProduct(rows: 16, inputs: 6, outputs: 8, element: .float32, result: .float32)
        let packed = try AlignedMemory(bytes: product.packedBytes)
        // Stored as [outputs, inputs].
        try product.pack(weights, inputStride: 1, outputStride: 6, into: packed.pointer)
        var x = [Float](repeating: 0, count: 16 * 6)
        x[2] = 1
        var y = [Float](repeating: 0, count: 16 * 8)
        let scratch = try AlignedMemory(bytes: product.scratchBytes)
        try product.execute(x, packed.pointer, &y, scratch: scratch.pointer)
        #expect((0..<8).allSatisfy { y[$0] == weights[$0 * 6 + 2] })
    }

    @Test("bfloat16 products sum in 32 bits", .enabled(if: Element.hasFastBfloat16))
    func bfloat16() throws {
        let product = try MatrixProduct(rows: 16, inputs: 512, outputs: 16, element: .bfloat16, result: .float32)
        let packed = try AlignedMemory(bytes: product.packedBytes)
        try product.pack(
            [Float](repeating: 1, count: 512 * 16), inputStride: 16, outputStride: 1, into: packed.pointer)
        // 1 + 2^-7 is a bfloat16; 512 of them sum to 516, which bfloat16 sums would miss.
        let x = [UInt16](repeating: 0x3F81, count: 16 * 512)
        var y = [Float](repeating: 0, count: 16 * 16)
        let scratch = try AlignedMemory(bytes: product.scratchBytes)
        try product.execute(x, packed.pointer, &y, scratch: scratch.pointer)
        #expect(y.allSatisfy { $0 == 516 })
    }
}

struct ThreadPoolTests {
    @Test("Every task runs once, on one of the threads", arguments: [1, 2, 4])
    func tasks(threads: Int) throws {
        let pool = try ThreadPool(count: threads)
        for count in [0, 1, 3, 100] {
            let memory = try AlignedMemory(bytes: 4 * 100)
            let runs = memory.floats()
            try pool.run(tasks: count) { task, thread in
                #expect(thread >= 0 && thread < threads)
                runs[task] += 1
            }
            let found = (0..<100).map { Int(runs[$0]) }
            #expect(found == (0..<100).map { $0 < count ? 1 : 0 })
        }
    }

    @Test("The first task's error is thrown, after all have run")
    func errors() throws {
        let pool = try ThreadPool(count: 2)
        #expect(throws: ComputeError.thread(status: 3)) {
            try pool.run(tasks: 10) { task, _ in
                if task >= 3 { throw ComputeError.thread(status: task) }
            }
        }
        try pool.run(tasks: 2) { _, _ in }
    }
}
