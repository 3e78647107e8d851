/// A tensor of a base model with values that are no finite numbers, and how many.
public struct NonFiniteTensor: Hashable, Sendable {
    public var name: String
    public var values: Int

    public init(name: String, values: Int) {
        self.name = name
        self.values = values
    }
}
