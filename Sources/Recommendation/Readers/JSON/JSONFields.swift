/// The values of a JSON object that are texts or numbers, by name and, in objects inside it, by path (`product.id`).
struct JSONFields {
    /// In the order of the source.
    private(set) var keys: [String] = []
    private var values: [JSONValueParser.Value] = []

    /// Why a value names nobody.
    struct NoIdentifier: Error, CustomStringConvertible {
        var description: String
    }

    /// nil: not a JSON object, or one that has a key twice. Twice in an object inside it: nobody knows the value.
    init?(_ bytes: ArraySlice<UInt8>) {
        guard let leaves = try? JSONValueParser.leaves(ofObject: bytes) else { return nil }
        var positions: [String: Int] = [:]
        for leaf in leaves {
            if let known = positions[leaf.path] {
                guard leaf.depth > 1 else { return nil }
                values[known] = .other
                continue
            }
            positions[leaf.path] = keys.count
            keys.append(leaf.path)
            values.append(leaf.value)
        }
    }

    /// nil: no such column, or neither text nor number.
    func text(_ column: Int?) -> String? {
        guard let column, values.indices.contains(column) else { return nil }
        switch values[column] {
        case .text(let text, _), .number(let text): return text
        case .other: return nil
        }
    }

    /// As `text`, for what names somebody: 1.0 and 1e3 could be written otherwise, and half a surrogate pair stands for many
    /// characters; both are refused.
    func identifier(_ column: Int?) throws(NoIdentifier) -> String? {
        if let column, values.indices.contains(column) {
            switch values[column] {
            case .number(let number) where number.contains(where: { ".eE".contains($0) }):
                throw NoIdentifier(description: "\(number.prefix(40)) is no whole number; write it as text")
            case .text(_, isWhole: false): throw NoIdentifier(description: "has half a surrogate pair")
            default: break
            }
        }
        return text(column)
    }
}
