/// What a gateway computes answers with.
public struct AnsweringModel: Sendable {
    /// A GGUF file or a Hugging Face directory: the cluster's base model.
    public var path: String
    public var threads: Int
    /// A folder for packed weights; nil: none.
    public var weightCache: String?

    public init(path: String, threads: Int, weightCache: String? = nil) {
        self.path = path
        self.threads = threads
        self.weightCache = weightCache
    }
}
