import COneDNN

/// How activations and packed weights are stored.
public enum Element: Sendable, Hashable {
    case float32
    case bfloat16

    public var bytes: Int { self == .float32 ? 4 : 2 }
    var onednn: lethe_element { self == .float32 ? lethe_float32 : lethe_bfloat16 }

    /// Whether this CPU multiplies bfloat16 with 32-bit sums in hardware.
    public static var hasFastBfloat16: Bool { lethe_has_bfloat16() != 0 }
}

/// `result[rows, outputs] (+)= source[rows, inputs] · weights[inputs, outputs]` by oneDNN on the calling thread, with
/// weights in oneDNN's own packed layout.
public final class MatrixProduct: @unchecked Sendable {
    public let rows: Int
    public let inputs: Int
    public let outputs: Int
    private let product: OpaquePointer

    /// - `result`: element of the result; source and weights have `element`.
    /// - `accumulate`: adds to the result instead of replacing it.
    /// - `like`: a product of the same inputs and outputs whose packed weights this one shall share.
    public init(
        rows: Int, inputs: Int, outputs: Int, element: Element, result: Element, accumulate: Bool = false,
        like: MatrixProduct? = nil
    ) throws {
        var shape = lethe_matmul_shape()
        shape.rows = Int64(rows)
        shape.inputs = Int64(inputs)
        shape.outputs = Int64(outputs)
        shape.source_stride = Int64(inputs)
        shape.result_stride = Int64(outputs)
        shape.source = element.onednn
        shape.weights = element.onednn
        shape.result = result.onednn
        shape.accumulate = accumulate ? 1 : 0
        var created: OpaquePointer?
        let status = lethe_matmul_create(&shape, like?.product, &created)
        guard status == 0, let created else {
            throw ComputeError.product(what: "create \(rows) x \(inputs) x \(outputs)", status: Int(status))
        }
        product = created
        self.rows = rows
        self.inputs = inputs
        self.outputs = outputs
    }

    deinit { lethe_matmul_destroy(product) }

    public var packedBytes: Int { lethe_matmul_packed_size(product) }
    public var scratchBytes: Int { lethe_matmul_scratch_size(product) }
    /// Multiplications and additions.
    public var operations: Double { 2 * Double(rows) * Double(inputs) * Double(outputs) }
    /// oneDNN's name of the kernel.
    public var implementation: String { String(cString: lethe_matmul_implementation(product)) }
    /// Describes the packed layout, so that files of packed weights can be keyed by it.
    public var layout: String {
        var text = [CChar](repeating: 0, count: 256)
        lethe_matmul_layout(product, &text, text.count)
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Packs plain weights; (input i, output o) lies at `plain[i · inputStride + o · outputStride]`.
    public func pack(
        _ plain: UnsafePointer<Float>, inputStride: Int, outputStride: Int, into packed: UnsafeMutableRawPointer
    ) throws {
        let status = lethe_matmul_pack(product, plain, Int64(inputStride), Int64(outputStride), packed)
        guard status == 0 else { throw ComputeError.product(what: "pack", status: Int(status)) }
    }

    /// May run on several threads at once with different results and scratch spaces.
    public func execute(
        _ source: UnsafeRawPointer, _ packed: UnsafeRawPointer, _ result: UnsafeMutableRawPointer,
        scratch: UnsafeMutableRawPointer
    ) throws {
        let status = lethe_matmul_execute(product, source, packed, result, scratch)
        guard status == 0 else { throw ComputeError.product(what: "execute", status: Int(status)) }
    }

    /// Version, build and instruction set of oneDNN.
    public static var library: String {
        var text = [CChar](repeating: 0, count: 256)
        lethe_onednn_description(&text, text.count)
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
