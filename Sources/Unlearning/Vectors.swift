/// Arithmetic on rows of embeddings, in one fixed order of operations.
enum Vectors {
    /// Σ a_i·b_i over `count` values, in eight interleaved partial sums.
    static func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int) -> Float {
        accumulate(a, b, count: count) { $0 * $1 }
    }

    /// Σ (a_i − b_i)² over `count` values, in eight interleaved partial sums.
    static func squaredDistance(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int) -> Double {
        Double(
            accumulate(a, b, count: count) { one, other in
                let difference = one - other
                return difference * difference
            })
    }

    /// The scalar product of a vector `[dimension]` with one row of `rows`.
    static func dot(_ vector: [Float], _ rows: [Float], row: Int, dimension: Int) -> Float {
        precondition(vector.count == dimension && rows.count >= (row + 1) * dimension)
        return vector.withUnsafeBufferPointer { vector in
            rows.withUnsafeBufferPointer { rows in
                guard let left = vector.baseAddress, let right = rows.baseAddress else { return 0 }
                return dot(left, right + row * dimension, count: dimension)
            }
        }
    }

    @inline(__always)
    private static func accumulate(
        _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int,
        term: (SIMD8<Float>, SIMD8<Float>) -> SIMD8<Float>
    ) -> Float {
        var sums = SIMD8<Float>(repeating: 0)
        var index = 0
        while index + 8 <= count {
            let left = UnsafeRawPointer(a + index).loadUnaligned(as: SIMD8<Float>.self)
            let right = UnsafeRawPointer(b + index).loadUnaligned(as: SIMD8<Float>.self)
            sums += term(left, right)
            index += 8
        }
        // The rest, filled up with zeros, which add nothing.
        var (left, right) = (SIMD8<Float>(repeating: 0), SIMD8<Float>(repeating: 0))
        for lane in 0..<(count - index) {
            left[lane] = a[index + lane]
            right[lane] = b[index + lane]
        }
        return (sums + term(left, right)).sum()
    }

    /// Each row `[dimension]` divided by its length; a row of zeros stays.
    static func normalised(_ rows: [Float], dimension: Int) -> [Float] {
        guard dimension > 0 else { return rows }
        var result = rows
        for start in stride(from: 0, to: rows.count, by: dimension) {
            var square = 0.0
            for value in rows[start..<(start + dimension)] { square += Double(value) * Double(value) }
            guard square > 0 else { continue }
            let length = square.squareRoot()
            for index in start..<(start + dimension) { result[index] = Float(Double(rows[index]) / length) }
        }
        return result
    }

    /// Whether no value is infinite or NaN: of those, and only of those, x − x is not zero.
    static func areFinite(_ values: [Float]) -> Bool {
        values.withUnsafeBufferPointer { values in
            guard let base = values.baseAddress else { return true }
            return accumulate(base, base, count: values.count) { $0 - $1 } == 0
        }
    }

    /// - Throws: `UnlearningError.wrongShape` or `.notFinite`.
    static func check(_ values: [Float], what: String, rows: Int, dimension: Int) throws {
        guard dimension > 0 else {
            throw UnlearningError.invalidSpecification(reason: "\(what) must have at least one dimension")
        }
        let (expected, overflow) = rows.multipliedReportingOverflow(by: dimension)
        guard !overflow, values.count == expected else {
            throw UnlearningError.wrongShape(what: what, expected: expected, found: values.count)
        }
        guard values.allSatisfy(\.isFinite) else { throw UnlearningError.notFinite(what: what) }
    }
}
