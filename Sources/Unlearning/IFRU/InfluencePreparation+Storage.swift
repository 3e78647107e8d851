import Foundation

/// How a preparation lies on disk. All numbers are little-endian.
///
///     8 bytes     "LETHEIF1"
///     UInt64      length of the header
///     header      JSON: adapter, corrections, damping, cost, entries, parameters, margins' count
///     Float       margins [n]
///     Double      M·Mᵀ [n, n], eigenvalues [n], eigenvectors [n, n]
///     Float       M [n, P]
///     UInt64      FNV-1a over the 32-bit words of everything before: finds damage, not forgery
extension InfluencePreparation {
    private static let magic: [UInt8] = Array("LETHEIF1".utf8)

    private struct Header: Codable {
        var adapter: String
        var corrections: Int
        var damping: Double?
        var cost: PhaseCost
        var entries: [Entry]
        var parameters: Int
        var references: Int
    }

    /// Writes the file as a whole or not at all: to a neighbour first, which then takes its place.
    ///
    /// - Throws: errors of the file system.
    public func write(to url: URL) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        var header = try encoder.encode(
            Header(
                adapter: adapter, corrections: corrections, damping: damping, cost: cost, entries: entries,
                parameters: parameters, references: referenceCount))
        // Blanks to a multiple of 8, so that all numbers are aligned.
        while header.count % 8 != 0 { header.append(0x20) }
        let temporary = url.appendingPathExtension("part")
        var isWritten = false
        defer { if !isWritten { try? FileManager.default.removeItem(at: temporary) } }
        // Rows tell about people: nobody else may read them.
        guard
            FileManager.default.createFile(
                atPath: temporary.path, contents: nil, attributes: [.posixPermissions: 0o600])
        else { throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: temporary.path]) }
        let file = try FileHandle(forWritingTo: temporary)
        defer { try? file.close() }
        var checksum = Checksum()
        func put(_ data: Data) throws {
            checksum.add(data)
            try file.write(contentsOf: data)
        }
        try put(Data(Self.magic) + Self.bytes(of: [UInt64(header.count).littleEndian]) + header)
        try put(Self.bytes(of: margins.map(\.bitPattern.littleEndian)))
        for numbers in [gram, eigen.values, eigen.vectors] {
            try put(Self.bytes(of: numbers.map(\.bitPattern.littleEndian)))
        }
        // Row by row, so that not all of them are copied at once.
        for row in 0..<referenceCount { try put(Self.bytes(of: rows.row(row).map(\.bitPattern.littleEndian))) }
        try file.write(contentsOf: Self.bytes(of: [checksum.value.littleEndian]))
        try file.synchronize()
        try FileManager.default.moveReplacing(temporary, at: url)
        isWritten = true
    }

    /// - Throws: `ApproximateError.malformedPreparation`; `UnlearningError.notFinite`; errors of the file system.
    public init(contentsOf url: URL) throws {
        let data = try Data(contentsOf: url, options: .mappedIfSafe)
        func malformed(_ reason: String) -> ApproximateError { .malformedPreparation(reason: reason) }
        var reader = Reader(data: data)
        guard let magic = reader.take(8), Array(magic) == Self.magic else { throw malformed("it is no preparation") }
        guard let announced = reader.take(8).map({ Self.words(UInt64.self, of: $0) })?.first,
            let length = Int(exactly: announced), let encoded = reader.take(length), length % 8 == 0
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
        let margins = reader.take(4 * n).map { Self.words(UInt32.self, of: $0).map(Float.init(bitPattern:)) }
        func doubles(_ count: Int) -> [Double]? {
            reader.take(8 * count).map { Self.words(UInt64.self, of: $0).map(Double.init(bitPattern:)) }
        }
        guard let margins, let gram = doubles(n * n), let values = doubles(n), let vectors = doubles(n * n),
            let rows = reader.take(4 * n * width), let sum = reader.take(8)
        else { throw malformed("it ends too early") }
        guard Self.words(UInt64.self, of: sum).first == checksum.value else {
            throw malformed("its checksum does not fit")
        }
        let matrix = Self.words(UInt32.self, of: rows).map(Float.init(bitPattern:))
        guard margins.allSatisfy(\.isFinite), matrix.allSatisfy(\.isFinite),
            [gram, values, vectors].allSatisfy({ $0.allSatisfy(\.isFinite) })
        else { throw UnlearningError.notFinite(what: "the stored preparation") }
        let numbered = header.entries.compactMap(\.row).sorted()
        guard numbered == Array(0..<n) else { throw malformed("its rows do not belong to its prompts") }
        let ids = header.entries.map(\.id)
        guard zip(ids, ids.dropFirst()).allSatisfy({ $0 < $1 }) else { throw malformed("its prompts are not in order") }
        self.init(
            adapter: header.adapter, corrections: header.corrections, entries: header.entries, margins: margins,
            damping: header.damping, rows: InfluenceRows(width: width, values: matrix), gram: gram,
            eigen: SymmetricEigen(size: n, values: values, vectors: vectors))
        cost = header.cost
    }

    private static func bytes<Word: FixedWidthInteger>(of words: [Word]) -> Data {
        words.withUnsafeBytes { Data($0) }
    }

    private static func words<Word: FixedWidthInteger & BitwiseCopyable>(_ type: Word.Type, of data: Data) -> [Word] {
        data.withUnsafeBytes { bytes in
            (0..<(bytes.count / MemoryLayout<Word>.size)).map {
                Word(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Word>.size, as: Word.self))
            }
        }
    }

    private struct Reader {
        let data: Data
        var position = 0

        mutating func take(_ count: Int) -> Data? {
            guard count >= 0, count <= data.count - position else { return nil }
            defer { position += count }
            return data[(data.startIndex + position)..<(data.startIndex + position + count)]
        }
    }

    private struct Checksum {
        var value: UInt64 = 0xCBF2_9CE4_8422_2325

        /// A multiple of four bytes.
        mutating func add(_ data: Data) {
            data.withUnsafeBytes { bytes in
                for offset in stride(from: 0, to: bytes.count - 3, by: 4) {
                    let word = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
                    value = (value ^ UInt64(word)) &* 0x100_0000_01B3
                }
            }
        }
    }
}

extension FileManager {
    /// Moves a file to a place, over what is there, in one step.
    fileprivate func moveReplacing(_ source: URL, at target: URL) throws {
        guard rename(source.path, target.path) == 0 else {
            throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: target.path])
        }
    }
}
