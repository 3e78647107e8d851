import Compute

/// Row vectors `[count, width]` and the products with them that the dual solve is made of.
///
/// Rows are 32-bit; every sum over a row is taken in blocks, and blocks are summed up in double precision.
package struct InfluenceMatrix: Hashable, Sendable {
    package let width: Int
    package private(set) var values: [Float]
    package var byteCount: Int { values.count * MemoryLayout<Float>.stride }
    package var count: Int { width == 0 ? 0 : values.count / width }

    private static let block = 4096

    package init(width: Int, values: [Float] = []) {
        precondition(width > 0 && values.count % width == 0)
        self.width = width
        self.values = values
    }

    package mutating func reserve(_ rows: Int) { values.reserveCapacity(rows * width) }

    package mutating func append(_ row: [Float]) {
        precondition(row.count == width)
        values += row
    }

    package func row(_ index: Int) -> ArraySlice<Float> { values[(index * width)..<((index + 1) * width)] }

    /// The rows at these positions, in this order.
    package func selecting(_ positions: [Int]) -> InfluenceMatrix {
        var result = InfluenceMatrix(width: width)
        result.reserve(positions.count)
        for position in positions { result.values += row(position) }
        return result
    }

    /// M·vector
    package func products(with vector: [Float]) -> [Double] {
        precondition(vector.count == width)
        return values.withUnsafeBufferPointer { values in
            vector.withUnsafeBufferPointer { vector in
                guard let rows = values.baseAddress, let right = vector.baseAddress else { return [] }
                return (0..<count).map { row in
                    var sum = 0.0
                    for start in stride(from: 0, to: width, by: Self.block) {
                        sum += Double(
                            Vectors.dot(
                                rows + row * width + start, right + start, count: min(Self.block, width - start)))
                    }
                    return sum
                }
            }
        }
    }

    /// Mᵀ·coefficients + added, rounded once; rows whose coefficient is zero are not read.
    package func combination(_ coefficients: [Double], adding added: [Float]? = nil) -> [Float] {
        precondition(coefficients.count == count && (added?.count ?? width) == width)
        let used = coefficients.indices.filter { coefficients[$0] != 0 }
        var result = [Float](repeating: 0, count: width)
        var sums = [Double](repeating: 0, count: Self.block)
        values.withUnsafeBufferPointer { values in
            sums.withUnsafeMutableBufferPointer { sums in
                for start in stride(from: 0, to: width, by: Self.block) {
                    let length = min(Self.block, width - start)
                    for index in 0..<length { sums[index] = Double(added?[start + index] ?? 0) }
                    var next = 0
                    // Two rows at once: half the traffic of the sums.
                    while next + 1 < used.count {
                        let (first, second) = (used[next], used[next + 1])
                        let (a, b) = (coefficients[first], coefficients[second])
                        let (baseA, baseB) = (first * width + start, second * width + start)
                        for index in 0..<length {
                            sums[index] += a * Double(values[baseA + index]) + b * Double(values[baseB + index])
                        }
                        next += 2
                    }
                    if next < used.count {
                        let (coefficient, base) = (coefficients[used[next]], used[next] * width + start)
                        for index in 0..<length { sums[index] += coefficient * Double(values[base + index]) }
                    }
                    for index in 0..<length { result[start + index] = Float(sums[index]) }
                }
            }
        }
        return result
    }

    /// M·Mᵀ `[count, count]`, symmetric to the last bit, by oneDNN block of columns by block of columns.
    ///
    /// - Throws: `ComputeError`.
    package func gram() throws -> [Double] {
        let (rows, columns) = (count, min(Self.block, width))
        guard rows > 0 else { return [] }
        let product = try MatrixProduct(
            rows: rows, inputs: columns, outputs: rows, element: .float32, result: .float32)
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: product.packedBytes + product.scratchBytes + 256, alignment: 64)
        defer { memory.deallocate() }
        let scratch = memory + (product.packedBytes + 63) / 64 * 64
        var block = [Float](repeating: 0, count: rows * columns)
        var partial = [Float](repeating: 0, count: rows * rows)
        var result = [Double](repeating: 0, count: rows * rows)
        for start in stride(from: 0, to: width, by: columns) {
            let length = min(columns, width - start)
            for row in 0..<rows {
                for index in 0..<length { block[row * columns + index] = values[row * width + start + index] }
                for index in length..<columns { block[row * columns + index] = 0 }
            }
            try product.pack(block, inputStride: 1, outputStride: columns, into: memory)
            try block.withUnsafeBytes { source in
                try partial.withUnsafeMutableBytes { target in
                    guard let source = source.baseAddress, let target = target.baseAddress else { return }
                    try product.execute(source, memory, target, scratch: scratch)
                }
            }
            for index in result.indices { result[index] += Double(partial[index]) }
        }
        for row in 0..<rows {
            for column in 0..<row {
                let mean = 0.5 * (result[row * rows + column] + result[column * rows + row])
                result[row * rows + column] = mean
                result[column * rows + row] = mean
            }
        }
        return result
    }
}
