import Foundation
import LanguageModels

/// How a preparation is kept, in the byte order of the machine, which the bytes never leave. Requests wait while they are
/// read: numbers are copied as they lie, part by part. They are kept sealed, since rows tell about people; sealing also finds
/// every change.
///
///     8 bytes     "LETHEIF6"; preparations of before have other numbers after it and are refused, so made anew
///     UInt64      length of the header
///     header      JSON: adapter, corrections, calibration, cost, entries, parameters, margins' count
///     Float       margins [n], margins under the base model [n]
///     Double      coefficients of a refit [n], where one is calibrated
///     Double      factor of an interpolation [n, n], where one is calibrated
///     Double      M·Mᵀ [n, n], eigenvalues [n], eigenvectors [n, n]
///     Float       M [n, P]
extension InfluencePreparation {
    /// What it begins with. In the name of a file it tells, without a key, whether what is sealed in it can be used.
    public static let form = "LETHEIF6"

    private struct Header: Codable {
        var adapter: String
        var corrections: Int
        var calibration: InfluenceCalibration?
        var cost: PhaseCost
        var entries: [Entry]
        var parameters: Int
        var references: Int
    }

    /// - `put`: gets the bytes in parts, in order.
    public func write(_ put: (Data) throws -> Void) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let header = try encoder.encode(
            Header(
                adapter: adapter, corrections: corrections, calibration: calibration, cost: cost,
                entries: entries, parameters: parameters, references: referenceCount))
        try put(Data(Self.form.utf8) + Self.bytes(of: [UInt64(header.count)]) + header)
        for numbers in [margins, start] { try put(Self.bytes(of: numbers[...])) }
        for numbers in [coefficients, factor, gram, eigen.values, eigen.vectors] {
            try put(Self.bytes(of: numbers[...]))
        }
        // Row by row, so that not all of them are copied at once.
        for row in 0..<referenceCount { try put(Self.bytes(of: rows.row(row))) }
    }

    /// - `count`: bytes that were written altogether.
    /// - `read`: fills a buffer with the next of them.
    /// - Throws: `ApproximateError.malformedPreparation`; `UnlearningError.notFinite`; whatever `read` throws.
    public init(count: Int, read: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
        func malformed(_ reason: String) -> ApproximateError { .malformedPreparation(reason: reason) }
        var left = count
        func take<Number: BitwiseCopyable>(_ type: Number.Type, _ numbers: Int) throws -> [Number] {
            let (bytes, overflow) = numbers.multipliedReportingOverflow(by: MemoryLayout<Number>.stride)
            guard numbers >= 0, !overflow, bytes <= left else { throw malformed("it ends too early") }
            left -= bytes
            return try [Number](unsafeUninitializedCapacity: numbers) { buffer, initialised in
                try read(UnsafeMutableRawBufferPointer(buffer))
                initialised = numbers
            }
        }
        guard count >= 16, try take(UInt8.self, Self.form.utf8.count).elementsEqual(Self.form.utf8) else {
            throw malformed("it is no preparation")
        }
        guard let length = Int(exactly: try take(UInt64.self, 1)[0]) else { throw malformed("its header has no end") }
        let encoded = try take(UInt8.self, length)
        let header: Header
        do {
            header = try JSONDecoder().decode(Header.self, from: Data(encoded))
        } catch {
            throw malformed("its header cannot be read")
        }
        let (n, width) = (header.references, header.parameters)
        // Products of numbers from outside: bounded by what is left before anything is allocated.
        guard n > 0, width > 0, n <= left, width <= left, n <= left / width, n <= left / n
        else { throw malformed("its header announces \(n) rows of \(width)") }
        let refitted = header.calibration?.solution == .refit ? n : 0
        let factored = header.calibration?.solution == .interpolation ? n * n : 0
        let expected = 8 * n + 8 * (refitted + factored) + 16 * n * n + 8 * n + 4 * n * width
        guard left == expected else { throw malformed("its numbers have \(left) bytes instead of \(expected)") }
        let margins = try take(Float.self, n)
        let start = try take(Float.self, n)
        let coefficients = try take(Double.self, refitted)
        let factor = try take(Double.self, factored)
        let gram = try take(Double.self, n * n)
        let values = try take(Double.self, n)
        let vectors = try take(Double.self, n * n)
        let matrix = try take(Float.self, n * width)
        guard Vectors.areFinite(margins), Vectors.areFinite(start), Vectors.areFinite(matrix),
            [coefficients, factor, gram, values, vectors].allSatisfy({ $0.allSatisfy(\.isFinite) })
        else { throw UnlearningError.notFinite(what: "the stored preparation") }
        let numbered = header.entries.compactMap(\.row).sorted()
        guard numbered == Array(0..<n) else { throw malformed("its rows do not belong to its prompts") }
        let ids = header.entries.map(\.id)
        guard zip(ids, ids.dropFirst()).allSatisfy({ $0 < $1 }) else { throw malformed("its prompts are not in order") }
        self.init(
            adapter: header.adapter, corrections: header.corrections, entries: header.entries, margins: margins,
            start: start, rows: InfluenceMatrix(width: width, values: matrix), gram: gram,
            eigen: SymmetricEigen(size: n, values: values, vectors: vectors))
        cost = header.cost
        calibration = header.calibration
        self.coefficients = coefficients
        self.factor = factor
    }

    private static func bytes<Number: BitwiseCopyable>(of numbers: ArraySlice<Number>) -> Data {
        numbers.withUnsafeBytes { Data($0) }
    }
}
