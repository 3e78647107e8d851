/// What can stop an import or make prompts impossible. Every message says what was found and where.
public enum RecommendationError: Error, Hashable, Sendable {
    case missingFile(path: String, wanted: String)
    case unreadableFile(path: String, reason: String)
    /// The file's header lacks a column that is needed.
    case missingColumn(file: String, column: String, header: String)
    /// Neither the rows nor a file beside them say what the items are called.
    case missingTitles(path: String, wanted: String)
    case invalidConfiguration(reason: String)
    case unknownItem(item: String)
}

extension RecommendationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .missingFile(let path, let wanted): "\(path): found no \(wanted)"
        case .unreadableFile(let path, let reason): "\(path): cannot be read: \(reason)"
        case .missingColumn(let file, let column, let header):
            "\(file): no column for \(column) in its first line: \(header)"
        case .missingTitles(let path, let wanted): "\(path): nothing says what the items are called; wanted \(wanted)"
        case .invalidConfiguration(let reason): "invalid prompt configuration: \(reason)"
        case .unknownItem(let item): "no item \(item) in the catalogue"
        }
    }
}
