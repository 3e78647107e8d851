import Foundation

/// A GGUF file, or the several that a large model is split into: "name-00001-of-00003.gguf" and so on (llama.cpp's
/// `gguf-split`). The first holds the metadata; each holds tensors of its own.
struct GGUFParts {
    let first: GGUFFile
    private let tensors: [String: (part: GGUFFile, tensor: GGUFFile.Tensor)]
    /// By name, so that what is said of them does not depend on their order in memory.
    let names: [String]

    /// - Parameter path: the only file, or the first of several.
    /// - Throws: `LanguageModelError.missingFile` for a part that is not there, `.malformedFile` where parts contradict each
    ///   other, `.unsupportedCheckpoint` when `path` is a later part.
    init(path: String) throws {
        first = try GGUFFile(file: MappedFile(path: path))
        var parts = [first]
        if let count = try first.integer("split.count"), count > 1 {
            guard let name = PartName(path: path), name.count == count else {
                throw LanguageModelError.unsupportedCheckpoint(
                    path: path,
                    reason: "it is one of \(count) parts, and its name does not end with "
                        + "-00001-of-\(PartName.digits(count)).gguf")
            }
            guard name.number == 1, try first.integer("split.no") ?? 0 == 0 else {
                throw LanguageModelError.unsupportedCheckpoint(
                    path: path, reason: "it is part \(name.number) of \(count); name the first, \(name.path(of: 1))")
            }
            for number in 2...count {
                let part = try GGUFFile(file: MappedFile(path: name.path(of: number)))
                guard try part.integer("split.no") == number - 1, try part.integer("split.count") == count else {
                    throw LanguageModelError.malformedFile(
                        path: part.file.path, reason: "it does not say that it is part \(number) of \(count)")
                }
                parts.append(part)
            }
        }
        var tensors: [String: (part: GGUFFile, tensor: GGUFFile.Tensor)] = [:]
        for part in parts {
            for (name, tensor) in part.tensors.sorted(by: { $0.key < $1.key })
            where tensors.updateValue((part, tensor), forKey: name) != nil {
                throw LanguageModelError.malformedFile(
                    path: part.file.path, reason: "the tensor \(name) stands in two parts")
            }
        }
        if parts.count > 1, let count = try first.integer("split.tensors.count"), count != tensors.count {
            throw LanguageModelError.malformedFile(
                path: path, reason: "its parts hold \(tensors.count) tensors, not \(count)")
        }
        self.tensors = tensors
        names = tensors.keys.sorted()
    }

    /// As the file names it.
    func shape(of name: String) -> [Int]? { tensors[name]?.tensor.shape }

    /// nil: there is no such tensor.
    ///
    /// - Throws: `LanguageModelError.unsupportedCheckpoint` for an encoding that is not read, `.malformedFile`.
    func stored(_ name: String) throws -> StoredTensor? {
        guard let (part, tensor) = tensors[name] else { return nil }
        guard let encoding = TensorEncoding.ggml[tensor.type] else {
            let found = TensorEncoding.unread[tensor.type] ?? "ggml's number \(tensor.type)"
            throw LanguageModelError.unsupportedCheckpoint(
                path: part.file.path,
                reason: "the tensor \(name) has the encoding \(found); F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, "
                    + "Q2_K to Q6_K, IQ4_NL and IQ4_XS are supported")
        }
        let (start, overflow) = part.dataStart.addingReportingOverflow(tensor.offset)
        guard !overflow else {
            throw LanguageModelError.malformedFile(
                path: part.file.path, reason: "the tensor \(name) reaches beyond the end of the file")
        }
        return try StoredTensor(
            name: name, file: part.file, encoding: encoding, shape: tensor.shape, start: start)
    }

    /// The one model among the `.gguf` files of a directory: one file, or the parts of one.
    static func first(of names: [String]) -> String? {
        if names.count == 1 { return names[0] }
        let parts = names.compactMap { PartName(path: $0) }
        guard let first = parts.first, parts.count == names.count, names.count == first.count,
            parts.allSatisfy({ $0.stem == first.stem && $0.count == first.count })
        else { return nil }
        return first.path(of: 1)
    }
}

/// "stem-00001-of-00003.gguf"
private struct PartName {
    let stem: String
    let number: Int
    let count: Int

    init?(path: String) {
        let suffix = "-00001-of-00001.gguf"
        let (text, ending) = (Array(path.utf8), Array(path.utf8.suffix(suffix.utf8.count)))
        guard ending.count == suffix.utf8.count,
            zip(ending, suffix.utf8).allSatisfy({ (48...57).contains($1) ? (48...57).contains($0) : $0 == $1 }),
            let number = Int(String(decoding: ending[1..<6], as: UTF8.self)),
            let count = Int(String(decoding: ending[10..<15], as: UTF8.self))
        else { return nil }
        stem = String(decoding: text.dropLast(ending.count), as: UTF8.self)
        self.number = number
        self.count = count
    }

    func path(of number: Int) -> String { "\(stem)-\(Self.digits(number))-of-\(Self.digits(count)).gguf" }

    static func digits(_ number: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, 5 - text.count)) + text
    }
}
