import Compute

/// The oneDNN products of a decoder for every number of rows that a block may have, made when first needed.
final class DecoderProducts {
    enum Result: Int, CaseIterable { case float32, element, accumulate }

    private static let sizes = RowBlocks.largest / RowBlocks.step
    private let base: PackedProducts
    private let model: ModelConfiguration
    private let element: Element
    private var made: [MatrixProduct?]
    private(set) var scratchBytes = 64

    init(weights: DecoderWeights) {
        base = weights.products
        model = weights.configuration
        element = weights.element
        made = Array(repeating: nil, count: FrozenProduct.allCases.count * Result.allCases.count * Self.sizes)
    }

    private func index(_ kind: FrozenProduct, _ result: Result, rows: Int) -> Int {
        (kind.rawValue * Result.allCases.count + result.rawValue) * Self.sizes + rows / RowBlocks.step - 1
    }

    /// A product prepared before; nil when it was not.
    func product(_ kind: FrozenProduct, _ result: Result, rows: Int) -> MatrixProduct? {
        made[index(kind, result, rows: rows)]
    }

    /// Makes the products for these numbers of rows, so that threads only read.
    func prepare(rows: Set<Int>, backward: Bool) throws {
        var wanted: [(FrozenProduct, Result)] = [
            (.projection, .float32), (.output, .accumulate), (.gateUp, .float32), (.down, .accumulate),
        ]
        if backward {
            wanted += [
                (.projectionBackward, .float32), (.outputBackward, .element), (.outputBackward, .float32),
                (.gateUpBackward, .float32), (.downBackward, .element), (.downBackward, .float32),
            ]
        }
        for count in rows.sorted() {
            for (kind, result) in wanted where made[index(kind, result, rows: count)] == nil {
                let (inputs, outputs) = kind.shape(model)
                let product = try MatrixProduct(
                    rows: count, inputs: inputs, outputs: outputs, element: element,
                    result: result == .element ? element : .float32, accumulate: result == .accumulate,
                    like: base[kind])
                scratchBytes = max(scratchBytes, product.scratchBytes)
                made[index(kind, result, rows: count)] = product
            }
        }
    }
}
