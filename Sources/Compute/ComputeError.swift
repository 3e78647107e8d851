/// What can go wrong below the language model.
public enum ComputeError: Error, Hashable, Sendable {
    /// oneDNN refused to create or run a product; `status` is its own code.
    case product(what: String, status: Int)
    case thread(status: Int)
    case outOfMemory(bytes: Int)
}
