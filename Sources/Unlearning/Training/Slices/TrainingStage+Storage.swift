import Compute
import Crypto
import Files
import Foundation

/// How a stage is kept; numbers are little-endian.
///
///     8 bytes     "LETHEST1"
///     UInt64      length of the header
///     header      JSON: name, slice, steps, tokens, weight decay, sums of losses, parameters, steps that are averaged (if any),
///                 whether it is a checkpoint (if it is)
///     Float       parameters, first moments, second moments; where steps are averaged, their mean
extension TrainingStage {
    private static let magic: [UInt8] = Array("LETHEST1".utf8)
    /// Bytes of a header, at most: a sum of losses for each epoch is the longest of it.
    private static let headerLimit = 1 << 20
    /// Floats that are handed over together.
    private static let portion = 1 << 16

    private struct Header: Codable {
        var name: String
        var slice: Int
        var steps: Int
        var tokens: Int
        var weightDecay: Float
        var lossSums: [Double]
        var parameters: Int
        /// nil: nothing is averaged.
        var averaged: Int?
        /// nil: it is a stage.
        var isCheckpoint: Bool?
    }

    /// - `put`: gets the bytes in parts, in order.
    public func write(_ put: (Data) throws -> Void) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let header = try encoder.encode(
            Header(
                name: name, slice: slice, steps: state.optimiser.steps, tokens: state.tokens,
                weightDecay: state.optimiser.weightDecay, lossSums: state.lossSums, parameters: state.values.count,
                averaged: state.average?.moments, isCheckpoint: isCheckpoint ? true : nil))
        try put(Data(Self.magic) + withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) } + header)
        let vectors = [state.values, state.optimiser.first, state.optimiser.second, state.average?.mean]
        for case let numbers? in vectors {
            for start in stride(from: 0, to: numbers.count, by: Self.portion) {
                let part = numbers[start..<min(start + Self.portion, numbers.count)]
                try put(Data(LittleEndianFloats.bytes(part)))
            }
        }
    }

    /// As `write` puts it.
    public func bytes() throws -> [UInt8] {
        var bytes: [UInt8] = []
        try write { bytes += $0 }
        return bytes
    }

    /// What a training reports of it.
    public func report() throws -> StageReport {
        var (hash, count) = (SHA256(), 0)
        try write {
            hash.update(data: $0)
            count += $0.count
        }
        return StageReport(slice: slice, name: name, digest: hash.finalize().hexadecimal, bytes: count)
    }

    /// - `bytes`: as `write` put them.
    /// - Throws: `UnlearningError.malformedStage`, `.notFinite`.
    public init(bytes: [UInt8]) throws {
        var position = 0
        try self.init(count: bytes.count) { buffer in
            buffer.copyBytes(from: bytes[position..<(position + buffer.count)])
            position += buffer.count
        }
    }

    /// - `count`: bytes that were written altogether.
    /// - `read`: fills a buffer with the next of them.
    /// - Throws: `UnlearningError.malformedStage`, `.notFinite`; whatever `read` throws.
    public init(count: Int, read: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
        func malformed(_ reason: String) -> UnlearningError { .malformedStage(reason: reason) }
        var left = count
        func take(_ bytes: Int) throws -> [UInt8] {
            guard bytes >= 0, bytes <= left else { throw malformed("it ends too early") }
            left -= bytes
            return try [UInt8](unsafeUninitializedCapacity: bytes) { buffer, initialised in
                try read(UnsafeMutableRawBufferPointer(buffer))
                initialised = bytes
            }
        }
        let start = try take(16)
        guard start.prefix(8).elementsEqual(Self.magic) else { throw malformed("it is no stage") }
        let announced = start.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self) }
        guard let length = Int(exactly: UInt64(littleEndian: announced)), length <= Self.headerLimit else {
            throw malformed("its header has no end")
        }
        let encoded = Data(try take(length))
        guard let header = try? JSONDecoder().decode(Header.self, from: encoded) else {
            throw malformed("its header cannot be read")
        }
        // A number from outside: bounded by what is left before anything is allocated.
        let parameters = header.parameters
        let each = header.averaged == nil ? 12 : 16
        guard parameters >= 0, parameters <= left, each * parameters == left else {
            throw malformed("its header announces \(parameters) parameters, and \(left) bytes follow")
        }
        guard TrainingSpecification.sliceBounds.contains(header.slice), header.tokens >= 0 else {
            throw malformed("its header counts from nothing")
        }
        func floats() throws -> [Float] { LittleEndianFloats.floats(try take(4 * parameters)) ?? [] }
        let values = try floats()
        let first = try floats()
        let second = try floats()
        let mean = try header.averaged.map { _ in try floats() }
        guard [values, first, second, mean ?? []].allSatisfy(Vectors.areFinite), header.lossSums.allSatisfy(\.isFinite)
        else {
            throw UnlearningError.notFinite(what: "the stored stage")
        }
        // A mean of squares: a step would divide by the root of a negative number.
        guard second.allSatisfy({ $0 >= 0 }) else { throw malformed("its second moments are below zero") }
        guard
            let optimiser = AdamW(
                steps: header.steps, first: first, second: second, weightDecay: header.weightDecay)
        else { throw malformed("its header counts from nothing") }
        var state = TrainingState(values: values, optimiser: optimiser, lossSums: header.lossSums)
        state.tokens = header.tokens
        if let averaged = header.averaged, let mean {
            guard averaged <= header.steps, let average = ParameterMean(mean: mean, moments: averaged) else {
                throw malformed("its header counts from nothing")
            }
            state.average = average
        }
        self.init(
            name: header.name, slice: header.slice, state: state, isCheckpoint: header.isCheckpoint ?? false)
    }
}
