/// A metadata value of a GGUF file.
enum GGUFValue {
    case unsigned(UInt64)
    case signed(Int64)
    case float(Double)
    case bool(Bool)
    case string(String)
    case strings([String])
    case integers([Int64])
    case floats([Float])
    /// A string, or an array of strings, that is not UTF-8. Where nobody asks for it, it does no harm.
    case notText
    /// An array that no model property needs (booleans, nested arrays); read past, not kept.
    case skipped
}

/// The parsed head of a GGUF file, version 2 or 3: metadata and the places of the tensors.
///
/// Source: the GGUF specification in the ggml repository. Everything is checked against the file's size before it is
/// used, so a hostile file costs no more memory than its own length.
struct GGUFFile {
    /// A tensor as the file names it. GGUF lists dimensions innermost first; `shape` is row-major, outermost first.
    struct Tensor {
        var shape: [Int]
        /// ggml's number of the encoding.
        var type: UInt32
        /// Offset from the beginning of the tensor data.
        var offset: Int
    }

    private static let magic: UInt32 = 0x4655_4747
    private static let maximumDimensions = 4
    private static let maximumArrayDepth = 4

    let file: MappedFile
    private(set) var metadata: [String: GGUFValue] = [:]
    /// Where the encoded value of each key lies in the file.
    private(set) var metadataRanges: [String: Range<Int>] = [:]
    private(set) var tensors: [String: Tensor] = [:]
    private(set) var dataStart = 0

    init(file: MappedFile) throws {
        self.file = file
        try file.withBytes { try parse($0) }
    }

    private mutating func parse(_ bytes: UnsafeRawBufferPointer) throws {
        var cursor = ByteCursor(bytes, path: file.path)
        guard try cursor.number(UInt32.self, of: "the magic number") == Self.magic else {
            throw cursor.malformed("it does not begin with GGUF's magic number")
        }
        let version = try cursor.number(UInt32.self, of: "the version")
        guard version == 2 || version == 3 else {
            let isBigEndian = version != 0 && version & 0xFFFF == 0
            throw LanguageModelError.unsupportedCheckpoint(
                path: file.path,
                reason: isBigEndian
                    ? "a big-endian GGUF file" : "GGUF version \(version); versions 2 and 3 are supported")
        }
        let tensorCount = try cursor.length(of: "the number of tensors")
        let keyCount = try cursor.length(of: "the number of metadata keys")
        // A tensor takes at least 24 bytes and a key 13: counts beyond that cannot be true.
        guard tensorCount <= cursor.remaining / 24, keyCount <= cursor.remaining / 13 else {
            throw cursor.malformed("\(tensorCount) tensors and \(keyCount) keys do not fit into the file")
        }
        for _ in 0..<keyCount {
            let name = String(validating: try cursor.bytes(of: "a metadata key"), as: UTF8.self)
            let key = name ?? "a key that is not UTF-8"
            let start = cursor.position
            let type = try cursor.number(UInt32.self, of: "the type of \(key)")
            let value = try Self.value(of: type, key: key, depth: 0, from: &cursor)
            // Nobody asks for it.
            guard name != nil else { continue }
            guard metadata.updateValue(value, forKey: key) == nil else {
                throw cursor.malformed("the key \(key) occurs twice")
            }
            metadataRanges[key] = start..<cursor.position
        }
        var order: [(name: String, tensor: Tensor)] = []
        for _ in 0..<tensorCount {
            let (name, tensor) = try Self.tensor(from: &cursor)
            guard tensors.updateValue(tensor, forKey: name) == nil else {
                throw cursor.malformed("the tensor \(name) occurs twice")
            }
            order.append((name, tensor))
        }
        let alignment = try alignment(cursor)
        dataStart = (cursor.position + alignment - 1) / alignment * alignment
        guard order.isEmpty || dataStart <= bytes.count else { throw cursor.malformed("the tensor data is missing") }
        if let misplaced = order.first(where: { $0.tensor.offset % alignment != 0 }) {
            throw cursor.malformed("the tensor \(misplaced.name) is not aligned to \(alignment) bytes")
        }
    }

    private func alignment(_ cursor: ByteCursor) throws -> Int {
        guard let value = metadata["general.alignment"] else { return 32 }
        guard case .unsigned(let alignment) = value, (8...65536).contains(alignment), alignment % 8 == 0 else {
            throw cursor.malformed("general.alignment is no multiple of 8 up to 65536")
        }
        return Int(alignment)
    }

    private static func tensor(from cursor: inout ByteCursor) throws -> (String, Tensor) {
        let name = try cursor.string(of: "a tensor's name")
        let dimensions = try cursor.number(UInt32.self, of: "the dimensions of \(name)")
        guard (1...UInt32(maximumDimensions)).contains(dimensions) else {
            throw cursor.malformed("the tensor \(name) has \(dimensions) dimensions")
        }
        var shape: [Int] = []
        for _ in 0..<dimensions { shape.insert(try cursor.length(of: "a dimension of \(name)"), at: 0) }
        let type = try cursor.number(UInt32.self, of: "the encoding of \(name)")
        let offset = try cursor.length(of: "the offset of \(name)")
        return (name, Tensor(shape: shape, type: type, offset: offset))
    }

    private static func value(
        of type: UInt32, key: String, depth: Int, from cursor: inout ByteCursor
    ) throws -> GGUFValue {
        switch type {
        case 0: .unsigned(UInt64(try cursor.number(UInt8.self, of: key)))
        case 1: .signed(Int64(try cursor.number(Int8.self, of: key)))
        case 2: .unsigned(UInt64(try cursor.number(UInt16.self, of: key)))
        case 3: .signed(Int64(try cursor.number(Int16.self, of: key)))
        case 4: .unsigned(UInt64(try cursor.number(UInt32.self, of: key)))
        case 5: .signed(Int64(try cursor.number(Int32.self, of: key)))
        case 6: .float(Double(Float(bitPattern: try cursor.number(UInt32.self, of: key))))
        case 7: .bool(try cursor.number(UInt8.self, of: key) != 0)
        case 8: String(validating: try cursor.bytes(of: key), as: UTF8.self).map { .string($0) } ?? .notText
        case 9: try array(key: key, depth: depth, from: &cursor)
        case 10: .unsigned(try cursor.number(UInt64.self, of: key))
        case 11: .signed(try cursor.number(Int64.self, of: key))
        case 12: .float(Double(bitPattern: try cursor.number(UInt64.self, of: key)))
        default: throw cursor.malformed("the key \(key) has the unknown type \(type)")
        }
    }

    private static func array(key: String, depth: Int, from cursor: inout ByteCursor) throws -> GGUFValue {
        guard depth < maximumArrayDepth else { throw cursor.malformed("the arrays of \(key) are nested too deeply") }
        let type = try cursor.number(UInt32.self, of: key)
        let count = try cursor.length(of: "the length of \(key)")
        let sizes: [UInt32: Int] = [0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 8: 8, 9: 12, 10: 8, 11: 8, 12: 8]
        guard let size = sizes[type] else { throw cursor.malformed("\(key) is an array of the unknown type \(type)") }
        guard count <= cursor.remaining / size else { throw cursor.malformed("the file ends inside \(key)") }
        switch type {
        case 8:
            var strings: [String] = []
            strings.reserveCapacity(count)
            for _ in 0..<count {
                let bytes = try cursor.bytes(of: key)
                if let text = String(validating: bytes, as: UTF8.self) { strings.append(text) }
            }
            return strings.count == count ? .strings(strings) : .notText
        case 4:
            let raw = try cursor.take(count * size, of: key)
            return .integers((0..<count).map { Int64(raw.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self)) })
        case 5:
            let raw = try cursor.take(count * size, of: key)
            return .integers((0..<count).map { Int64(raw.loadUnaligned(fromByteOffset: $0 * 4, as: Int32.self)) })
        case 6:
            let raw = try cursor.take(count * size, of: key)
            return .floats(
                (0..<count).map {
                    Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self)))
                })
        case 9:
            for _ in 0..<count { _ = try array(key: key, depth: depth + 1, from: &cursor) }
            return .skipped
        default:
            _ = try cursor.take(count * size, of: key)
            return .skipped
        }
    }
}

extension GGUFFile {
    func string(_ key: String) throws -> String? {
        guard let value = metadata[key] else { return nil }
        guard case .string(let text) = value else { throw wrongType(key, "a string in UTF-8") }
        return text
    }

    func strings(_ key: String) throws -> [String]? {
        guard let value = metadata[key] else { return nil }
        guard case .strings(let texts) = value else { throw wrongType(key, "an array of strings in UTF-8") }
        return texts
    }

    func integers(_ key: String) throws -> [Int64]? {
        guard let value = metadata[key] else { return nil }
        guard case .integers(let numbers) = value else { throw wrongType(key, "an array of 32-bit integers") }
        return numbers
    }

    func floats(_ key: String) throws -> [Float]? {
        guard let value = metadata[key] else { return nil }
        guard case .floats(let numbers) = value else { throw wrongType(key, "an array of 32-bit numbers") }
        return numbers
    }

    func integer(_ key: String) throws -> Int? {
        switch metadata[key] {
        case nil: return nil
        case .unsigned(let value): if let number = Int(exactly: value) { return number }
        case .signed(let value): return Int(value)
        default: break
        }
        throw wrongType(key, "an integer")
    }

    func float(_ key: String) throws -> Double? {
        guard let value = metadata[key] else { return nil }
        guard case .float(let number) = value else { throw wrongType(key, "a floating-point number") }
        return number
    }

    func bool(_ key: String) throws -> Bool? {
        guard let value = metadata[key] else { return nil }
        guard case .bool(let flag) = value else { throw wrongType(key, "a boolean") }
        return flag
    }

    private func wrongType(_ key: String, _ expected: String) -> LanguageModelError {
        .malformedFile(path: file.path, reason: "the metadata key \(key) is not \(expected)")
    }
}
