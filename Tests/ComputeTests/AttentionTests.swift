import CKernels
import Compute
import Testing

/// Attention over a small tree: a root of 20 tokens with two branches of 5 and 17, grouped queries.
struct AttentionTests {
    static let spans = [
        lethe_span(start: 0, count: 20, slot: 0), lethe_span(start: 0, count: 20, slot: 0),
        lethe_span(start: 20, count: 5, slot: 20), lethe_span(start: 0, count: 20, slot: 0),
        lethe_span(start: 25, count: 17, slot: 25),
    ]
    static let items = [
        lethe_attention_item(span_begin: 0, span_count: 1, query_begin: 0, query_count: 20),
        lethe_attention_item(span_begin: 1, span_count: 2, query_begin: 20, query_count: 5),
        lethe_attention_item(span_begin: 3, span_count: 2, query_begin: 25, query_count: 17),
    ]
    static let tokens = 42
    static let rows = (0..<tokens).map { Int32($0) }
    /// Keys that each token sees.
    static let limits = (0..<tokens).map { Int32($0 < 25 ? $0 + 1 : $0 - 4) }

    struct Result {
        var o: [Float]
        var lse: [Float]
        var dq: [Float]
        var dk: [Float]
        var dv: [Float]
    }

    static func attend(
        d: Int, q: [Float], k: [Float], v: [Float], gradient: [Float]? = nil, heads: Int = 4, keyValueHeads: Int = 2
    ) -> Result {
        var result = Result(
            o: q.map { _ in 0 }, lse: [Float](repeating: 0, count: tokens * heads), dq: q.map { _ in 0 },
            dk: k.map { _ in 0 }, dv: v.map { _ in 0 })
        var a = lethe_attention()
        (a.element, a.heads, a.key_value_heads) = (lethe_kernel_float32, Int32(heads), Int32(keyValueHeads))
        (a.head_dimension, a.scale) = (Int32(d), 1 / Float(d).squareRoot())
        let workspace = UnsafeMutableRawPointer.allocate(
            byteCount: lethe_attention_workspace(&a, 37, 2, 1) + lethe_attention_workspace(&a, 37, 2, 0), alignment: 64)
        defer { workspace.deallocate() }
        spans.withUnsafeBufferPointer { spans in
            items.withUnsafeBufferPointer { items in
                rows.withUnsafeBufferPointer { rows in
                    limits.withUnsafeBufferPointer { limits in
                        q.withUnsafeBufferPointer { q in
                            k.withUnsafeBufferPointer { k in
                                v.withUnsafeBufferPointer { v in
                                    (a.spans, a.items) = (spans.baseAddress, items.baseAddress)
                                    (a.q_rows, a.o_rows, a.limits) = (
                                        rows.baseAddress, rows.baseAddress, limits.baseAddress
                                    )
                                    a.q = UnsafeRawPointer(q.baseAddress)
                                    a.k = UnsafeRawPointer(k.baseAddress)
                                    a.v = UnsafeRawPointer(v.baseAddress)
                                    run(&a, &result, gradient, keyValueHeads, workspace)
                                }
                            }
                        }
                    }
                }
            }
        }
        return result
    }

    private static func run(
        _ a: inout lethe_attention, _ result: inout Result, _ gradient: [Float]?, _ heads: Int,
        _ workspace: UnsafeMutableRawPointer
    ) {
        result.o.withUnsafeMutableBufferPointer { o in
            result.lse.withUnsafeMutableBufferPointer { lse in
                a.o = UnsafeMutableRawPointer(o.baseAddress)
                a.lse = lse.baseAddress
                for head in 0..<heads { lethe_attention_forward(&a, Int32(head), 0, 3, 37, 2, workspace) }
                guard let gradient else { return }
                gradient.withUnsafeBufferPointer { gradient in
                    result.dq.withUnsafeMutableBufferPointer { dq in
                        result.dk.withUnsafeMutableBufferPointer { dk in
                            result.dv.withUnsafeMutableBufferPointer { dv in
                                a.d_o = UnsafeRawPointer(gradient.baseAddress)
                                (a.dq, a.dk, a.dv) = (dq.baseAddress, dk.baseAddress, dv.baseAddress)
                                for head in 0..<heads {
                                    lethe_attention_backward(&a, Int32(head), 0, 3, 37, 2, workspace)
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Which tokens a token sees, in order.
    static func visible(_ token: Int) -> [Int] {
        token < 25 ? Array(0...token) : Array(0..<20) + Array(25...token)
    }

    private func numbers(_ count: Int, _ seed: UInt64) -> [Float] {
        CounterGenerator(seed: seed).uniforms(count: count, low: -1, high: 1)
    }

    @Test("Attention over a tree equals its definition", arguments: [8, 16, 64])
    func forward(d: Int) {
        let (heads, tokens) = (4, Self.tokens)
        let (q, k, v) = (numbers(tokens * heads * d, 1), numbers(tokens * 2 * d, 2), numbers(tokens * 2 * d, 3))
        let found = Self.attend(d: d, q: q, k: k, v: v)
        for token in 0..<tokens {
            for head in 0..<heads {
                let seen = Self.visible(token)
                let scores = seen.map { other in
                    (0..<d).reduce(Float(0)) {
                        $0 + q[(token * heads + head) * d + $1] * k[(other * 2 + head / 2) * d + $1]
                    } / Float(d).squareRoot()
                }
                let exponentials = scores.map { exponential(Double($0)) }
                let sum = exponentials.reduce(0, +)
                for index in 0..<d {
                    let expected = zip(seen, exponentials).reduce(0.0) {
                        $0 + $1.1 / sum * Double(v[($1.0 * 2 + head / 2) * d + index])
                    }
                    #expect(abs(Double(found.o[(token * heads + head) * d + index]) - expected) < 1e-5)
                }
            }
        }
    }

    @Test("Attention's gradients equal finite differences", arguments: [8, 16])
    func backward(d: Int) {
        let tokens = Self.tokens
        let (q, k, v) = (numbers(tokens * 4 * d, 1), numbers(tokens * 2 * d, 2), numbers(tokens * 2 * d, 3))
        let weight = numbers(tokens * 4 * d, 4)
        let found = Self.attend(d: d, q: q, k: k, v: v, gradient: weight)
        func loss(_ q: [Float], _ k: [Float], _ v: [Float]) -> Double {
            zip(Self.attend(d: d, q: q, k: k, v: v).o, weight).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        }
        for which in 0..<3 {
            let gradient = [found.dq, found.dk, found.dv][which]
            let scale = Double(gradient.map(abs).max() ?? 0)
            for index in stride(from: which, to: gradient.count, by: 41) {
                func at(_ step: Float) -> Double {
                    var inputs = [q, k, v]
                    inputs[which][index] += step
                    return loss(inputs[0], inputs[1], inputs[2])
                }
                let step: Float = 0.03
                let expected = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / Double(12 * step)
                #expect(abs(Double(gradient[index]) - expected) < 1e-3 * scale)
            }
        }
    }
}

/// e^x by its series, for small x.
private func exponential(_ x: Double) -> Double {
    var (sum, term) = (1.0, 1.0)
    for n in 1..<60 {
        term *= x / Double(n)
        sum += term
    }
    return sum
}
