/// The head of a safetensors file: 8 bytes of length, then JSON with type, shape and place of every tensor.
///
/// Source: the format's description in the safetensors repository. As the reference implementation does, it refuses
/// headers above 100 MB, gaps and overlaps between tensors, and bytes behind the last one.
struct SafetensorsHeader {
    struct Entry {
        var name: String
        /// "F32", "I64"…
        var type: String
        var shape: [Int]
        /// Counted from the beginning of the file.
        var range: Range<Int>
    }

    private static let maximumLength = 100_000_000

    /// By place.
    private(set) var entries: [Entry] = []
    /// Free text that the writer left.
    private(set) var metadata: [(key: String, value: String)] = []

    init(_ bytes: UnsafeRawBufferPointer, path: String) throws {
        func malformed(_ reason: String) -> LanguageModelError { .malformedFile(path: path, reason: reason) }
        var cursor = ByteCursor(bytes, path: path)
        let length = try cursor.length(of: "the header's length")
        guard length <= Self.maximumLength else { throw malformed("the header claims \(length) bytes") }
        let header = try JSONParser.parse(cursor.take(length, of: "the header"), path: path)
        guard let members = header.members else { throw malformed("the header is not a JSON object") }
        let start = cursor.position
        for (name, value) in members {
            if name == "__metadata__" {
                metadata = (value.members ?? []).compactMap { key, value in value.string.map { (key, $0) } }
                continue
            }
            guard let type = value["dtype"]?.string, let dimensions = value["shape"]?.array,
                let offsets = value["data_offsets"]?.array, offsets.count == 2,
                let lower = offsets[0].integer, let upper = offsets[1].integer
            else { throw malformed("the entry of the tensor \(name) lacks dtype, shape or data_offsets") }
            let shape = dimensions.compactMap(\.integer)
            guard shape.count == dimensions.count, elementCount(shape) != nil else {
                throw malformed("the tensor \(name) has an impossible shape")
            }
            guard lower >= 0, lower <= upper, upper <= bytes.count - start else {
                throw malformed("the tensor \(name) reaches beyond the end of the file")
            }
            if let encoding = TensorEncoding(rawValue: type), encoding.byteCount(shape: shape) != upper - lower {
                throw malformed("the tensor \(name) of shape \(shape) does not fill its \(upper - lower) bytes")
            }
            entries.append(Entry(name: name, type: type, shape: shape, range: start + lower..<start + upper))
        }
        entries.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
        var end = start
        for entry in entries {
            guard entry.range.lowerBound == end else {
                throw malformed("there is a gap or an overlap before the tensor \(entry.name)")
            }
            end = entry.range.upperBound
        }
        guard end == bytes.count else { throw malformed("\(bytes.count - end) bytes follow the last tensor") }
        let names = entries.map(\.name).sorted()
        if let (twice, _) = zip(names, names.dropFirst()).first(where: { $0 == $1 }) {
            throw malformed("the tensor \(twice) occurs twice")
        }
    }
}
