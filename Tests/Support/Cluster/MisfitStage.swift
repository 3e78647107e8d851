import Foundation
import Unlearning

extension TrainingStage {
    /// The same bytes under another header: what a faulty worker may have written.
    ///
    /// - `parameters`: so many, all of them zero, in the place of its own; nil: its own.
    package func misfit(
        parameters: Int? = nil, _ change: (inout [String: Any]) -> Void = { _ in }
    ) throws -> TrainingStage {
        let bytes = try bytes()
        let length = bytes[8..<16].reversed().reduce(0) { $0 << 8 | Int($1) }
        let json = try JSONSerialization.jsonObject(with: Data(bytes[16..<(16 + length)]))
        var header = json as? [String: Any] ?? [:]
        if let parameters { header["parameters"] = parameters }
        change(&header)
        let new = try JSONSerialization.data(withJSONObject: header)
        let vectors = header["averaged"] == nil ? 3 : 4
        let own = Array(bytes[(16 + length)...])
        let numbers = parameters.map { [UInt8](repeating: 0, count: 4 * vectors * $0) } ?? own
        let count = withUnsafeBytes(of: UInt64(new.count).littleEndian) { Array($0) }
        return try TrainingStage(bytes: bytes[..<8] + count + new + numbers)
    }

    /// What of a stage is a number for each parameter.
    package enum Numbers: Int {
        case parameters, firstMoments, secondMoments
    }

    /// The same with this number in the place of all of a kind: finite, and too large to compute with.
    package func flooded(_ kind: Numbers, with number: Float = .greatestFiniteMagnitude) throws -> TrainingStage {
        var bytes = try bytes()
        let each = MemoryLayout<Float>.size * values.count
        let vectors = (bytes.count - 16) / each
        let start = bytes.count - min(vectors, 3) * each + kind.rawValue * each
        let flood = withUnsafeBytes(of: number.bitPattern.littleEndian) { Array($0) }
        for place in stride(from: start, to: start + each, by: flood.count) {
            bytes.replaceSubrange(place..<(place + flood.count), with: flood)
        }
        return try TrainingStage(bytes: bytes)
    }
}
