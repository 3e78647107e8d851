/// Random numbers as a pure function of a key and a position (Philox 4x32-10, Salmon et al., SC 2011).
///
/// The key says what the numbers are for (seed, layer, site …), the position which of them is wanted, so that no number
/// depends on how many were drawn before it.
public struct CounterGenerator: Hashable, Sendable {
    private let key: UInt64
    private let stream: UInt64

    /// - `path`: names the use of the numbers, for example `[layer, site]`.
    public init(seed: UInt64, path: [UInt64] = []) {
        key = seed
        // Folds the path into 64 bits with the SplitMix64 finaliser, so that neighbouring paths give unrelated streams.
        stream = path.reduce(0x9E37_79B9_7F4A_7C15 &* UInt64(path.count &+ 1)) { Self.mix($0 ^ Self.mix($1)) }
    }

    /// Four 32-bit words at a position.
    public func words(at position: UInt64) -> (UInt32, UInt32, UInt32, UInt32) {
        let low = { (value: UInt64) in UInt32(truncatingIfNeeded: value) }
        return Self.philox(
            counter: (low(position), low(position >> 32), low(stream), low(stream >> 32)),
            key: (low(key), low(key >> 32)))
    }

    /// The generator itself: a bijection of the counter for every key.
    package static func philox(
        counter: (UInt32, UInt32, UInt32, UInt32), key: (UInt32, UInt32)
    ) -> (UInt32, UInt32, UInt32, UInt32) {
        var (c0, c1, c2, c3) = counter
        var (k0, k1) = key
        for _ in 0..<10 {
            let (high0, low0) = (0xD251_1F53 as UInt32).multipliedFullWidth(by: c0)
            let (high1, low1) = (0xCD9E_8D57 as UInt32).multipliedFullWidth(by: c2)
            (c0, c1, c2, c3) = (high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0)
            k0 &+= 0x9E37_79B9
            k1 &+= 0xBB67_AE85
        }
        return (c0, c1, c2, c3)
    }

    /// The `index`-th word of the stream.
    public func word(at index: Int) -> UInt32 {
        let four = words(at: UInt64(index) >> 2)
        switch index & 3 {
        case 0: return four.0
        case 1: return four.1
        case 2: return four.2
        default: return four.3
        }
    }

    /// Uniform in [0, 1), with 24 random bits.
    public func uniform(at index: Int) -> Float {
        Float(word(at: index) >> 8) * 0x1p-24
    }

    /// The first `count` uniform numbers, scaled to [low, high).
    public func uniforms(count: Int, low: Float, high: Float) -> [Float] {
        (0..<count).map { low + (high - low) * uniform(at: $0) }
    }

    /// Standard normal by Wichura's inverse of the distribution (AS 241, PPND7), without a math library, whose last bits
    /// may differ between machines.
    public func normal(at index: Int) -> Float {
        let four = words(at: UInt64(index))
        // 53 bits, never 0 or 1.
        let bits = (UInt64(four.0) << 21) ^ UInt64(four.1 >> 11)
        return Float(Self.inverseNormal((Double(bits) + 0.5) * 0x1p-53))
    }

    /// The first `count` standard normal numbers.
    public func normals(count: Int) -> [Float] { (0..<count).map(normal(at:)) }

    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// AS 241 PPND7: relative error about 1e-7.
    private static func inverseNormal(_ p: Double) -> Double {
        let q = p - 0.5
        if abs(q) <= 0.425 {
            let r = 0.180625 - q * q
            let top = ((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179
            let bottom = ((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1
            return q * top / bottom
        }
        var r = (-naturalLogarithm(q < 0 ? p : 1 - p)).squareRoot()
        let value: Double
        if r <= 5 {
            r -= 1.6
            let top = ((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777
            value = top / ((0.12021132975 * r + 0.73700164250) * r + 1)
        } else {
            r -= 5
            let top = ((0.017337203997 * r + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150
            value = top / ((0.012258202635 * r + 0.24197894225) * r + 1)
        }
        return q < 0 ? -value : value
    }

    /// ln x from the exponent and a series in (m − 1)/(m + 1), so that the result does not depend on a math library.
    private static func naturalLogarithm(_ x: Double) -> Double {
        let (mantissa, exponent) = (x.significand, Double(x.exponent))
        let t = (mantissa - 1) / (mantissa + 1)
        let square = t * t
        var (sum, term) = (0.0, t)
        for k in 0..<24 {
            sum += term / Double(2 * k + 1)
            term *= square
        }
        return 2 * sum + exponent * 0.693147180559945309417232121458
    }
}
