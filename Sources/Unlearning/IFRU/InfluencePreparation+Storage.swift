import Files
import Foundation
import LanguageModels

/// How a preparation lies on disk, in the byte order of the machine, which the file never leaves. Requests wait while it is
/// read: numbers are copied as they lie, and summed up in one pass.
///
///     8 bytes     "LETHEIF3"
///     UInt64      length of the header
///     header      JSON: adapter, corrections, calibration, cost, entries, parameters, margins' count
///     Float       margins [n]
///     Double      M·Mᵀ [n, n], eigenvalues [n], eigenvectors [n, n]
///     Float       M [n, P]
///     UInt64      checksum of everything before: finds damage, not forgery
extension InfluencePreparation {
    private static let magic: [UInt8] = Array("LETHEIF3".utf8)

    private struct Header: Codable {
        var adapter: String
        var corrections: Int
        var calibration: InfluenceCalibration?
        var cost: PhaseCost
        var entries: [Entry]
        var parameters: Int
        var references: Int
    }

    /// Writes the file as a whole or not at all: to a neighbour first, which then takes its place.
    ///
    /// - Throws: `FileFailure`.
    public func write(to url: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        var header = try encoder.encode(
            Header(
                adapter: adapter, corrections: corrections, calibration: calibration, cost: cost,
                entries: entries, parameters: parameters, references: referenceCount))
        // Blanks to a multiple of 8, so that all numbers are aligned.
        while header.count % 8 != 0 { header.append(0x20) }
        // Rows tell about people: only their owner can read the file.
        try AtomicFile.write(to: url.path) { file throws(FileFailure) in
            var checksum = Checksum()
            func put(_ data: Data) throws(FileFailure) {
                checksum.add(data)
                try file.put(data)
            }
            try put(Data(Self.magic) + Self.bytes(of: [UInt64(header.count)]) + header)
            try put(Self.bytes(of: margins[...]))
            for numbers in [gram, eigen.values, eigen.vectors] { try put(Self.bytes(of: numbers[...])) }
            // Row by row, so that not all of them are copied at once.
            for row in 0..<referenceCount { try put(Self.bytes(of: rows.row(row))) }
            try file.put(Self.bytes(of: [checksum.value]))
        }
    }

    /// - Throws: `ApproximateError.malformedPreparation`; `UnlearningError.notFinite`; errors of the file system.
    public init(contentsOf url: URL) throws {
        let data = try Data(contentsOf: url, options: .mappedIfSafe)
        func malformed(_ reason: String) -> ApproximateError { .malformedPreparation(reason: reason) }
        var reader = Reader(data: data)
        guard let magic = reader.take(8), Array(magic) == Self.magic else { throw malformed("it is no preparation") }
        guard let announced = reader.numbers(UInt64.self, 1)?.first, let length = Int(exactly: announced),
            let encoded = reader.take(length), length % 8 == 0
        else { throw malformed("it ends inside its header") }
        let header: Header
        do {
            header = try JSONDecoder().decode(Header.self, from: encoded)
        } catch {
            throw malformed("its header cannot be read")
        }
        let (n, width) = (header.references, header.parameters)
        // Products of numbers from outside: bounded by the file's own size before anything is allocated.
        guard n > 0, width > 0, n <= data.count, width <= data.count, n <= data.count / width, n <= data.count / n
        else { throw malformed("its header announces \(n) rows of \(width)") }
        let expected = reader.position + 4 * n + 16 * n * n + 8 * n + 4 * n * width + 8
        guard data.count == expected else { throw malformed("it has \(data.count) bytes instead of \(expected)") }
        var checksum = Checksum()
        checksum.add(data[data.startIndex..<(data.endIndex - 8)])
        guard let margins = reader.numbers(Float.self, n), let gram = reader.numbers(Double.self, n * n),
            let values = reader.numbers(Double.self, n), let vectors = reader.numbers(Double.self, n * n),
            let matrix = reader.numbers(Float.self, n * width), let sum = reader.numbers(UInt64.self, 1)
        else { throw malformed("it ends too early") }
        guard sum == [checksum.value] else { throw malformed("its checksum does not fit") }
        guard Vectors.areFinite(margins), Vectors.areFinite(matrix),
            [gram, values, vectors].allSatisfy({ $0.allSatisfy(\.isFinite) })
        else { throw UnlearningError.notFinite(what: "the stored preparation") }
        let numbered = header.entries.compactMap(\.row).sorted()
        guard numbered == Array(0..<n) else { throw malformed("its rows do not belong to its prompts") }
        let ids = header.entries.map(\.id)
        guard zip(ids, ids.dropFirst()).allSatisfy({ $0 < $1 }) else { throw malformed("its prompts are not in order") }
        self.init(
            adapter: header.adapter, corrections: header.corrections, entries: header.entries, margins: margins,
            rows: InfluenceMatrix(width: width, values: matrix), gram: gram,
            eigen: SymmetricEigen(size: n, values: values, vectors: vectors))
        cost = header.cost
        calibration = header.calibration
    }

    private static func bytes<Number: BitwiseCopyable>(of numbers: ArraySlice<Number>) -> Data {
        numbers.withUnsafeBytes { Data($0) }
    }

    private struct Reader {
        let data: Data
        var position = 0

        mutating func take(_ count: Int) -> Data? {
            guard count >= 0, count <= data.count - position else { return nil }
            defer { position += count }
            return data[(data.startIndex + position)..<(data.startIndex + position + count)]
        }

        mutating func numbers<Number: BitwiseCopyable>(_ type: Number.Type, _ count: Int) -> [Number]? {
            take(count * MemoryLayout<Number>.stride).map { data in
                [Number](unsafeUninitializedCapacity: count) { buffer, initialised in
                    data.copyBytes(to: UnsafeMutableRawBufferPointer(buffer))
                    initialised = count
                }
            }
        }
    }

    /// Eight interleaved FNV-1a sums over 32-bit words, however these come in pieces.
    private struct Checksum {
        private static let prime: UInt32 = 0x0100_0193
        private var lanes = SIMD8<UInt32>(repeating: 0x811C_9DC5)
        /// Of the next word.
        private var lane = 0

        /// A multiple of four bytes.
        mutating func add(_ data: Data) {
            var (lanes, lane) = (lanes, lane)
            data.withUnsafeBytes { bytes in
                var offset = 0
                while offset + 4 <= bytes.count {
                    if lane == 0, offset + 32 <= bytes.count {
                        let words = bytes.loadUnaligned(fromByteOffset: offset, as: SIMD8<UInt32>.self)
                        lanes = (lanes ^ words) &* Self.prime
                        offset += 32
                    } else {
                        let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
                        lanes[lane] = (lanes[lane] ^ word) &* Self.prime
                        lane = (lane + 1) % 8
                        offset += 4
                    }
                }
            }
            (self.lanes, self.lane) = (lanes, lane)
        }

        var value: UInt64 {
            (0..<8).reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64(lanes[$1])) &* 0x100_0000_01B3 }
        }
    }
}
