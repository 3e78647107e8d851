/// The frozen weights of a decoder, whatever file they come from.
///
/// Names and layouts are those of Hugging Face Llama checkpoints ("model.layers.0.self_attn.q_proj.weight",
/// `[outputs, inputs]` row-major); readers of other formats translate, including llama.cpp's permutation of the rows of
/// q and k. `lm_head.weight` is absent when the embeddings are tied.
public protocol Checkpoint: Sendable {
    var configuration: ModelConfiguration { get }
    /// SHA-256, in hexadecimal, of everything that determines the model's function: the configuration, the tokenizer and
    /// every used tensor's name, shape and values, in the order of the names.
    ///
    /// Values and tokenizer are hashed as they are stored, so that it takes a fraction of a second: sharded or not, in
    /// whatever order, the same stored content has the same digest, but the same values in another encoding or file format
    /// do not.
    var digest: String { get }
    /// nil when there is no such tensor.
    func shape(of name: String) -> [Int]?
    /// The tensor's values as 32-bit floats, row-major.
    func floats(of name: String) throws -> [Float]
    /// One row of a matrix, without reading the others where that can be.
    func floats(of name: String, row: Int) throws -> [Float]
}

extension Checkpoint {
    public func floats(of name: String, row: Int) throws -> [Float] {
        guard let shape = shape(of: name) else { throw LanguageModelError.missingTensor(name: name) }
        guard shape.count == 2, (0..<shape[0]).contains(row) else {
            throw LanguageModelError.wrongShape(name: name, expected: [row + 1, shape.last ?? 0], found: shape)
        }
        return Array(try floats(of: name)[(row * shape[1])..<((row + 1) * shape[1])])
    }
}
