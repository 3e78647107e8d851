/// A text file as an import reads one, for others that read lists of users and items.
public enum SourceText {
    /// All lines, with their numbers from 1, in UTF-8 whatever the file's encoding and line ends.
    ///
    /// - Throws: `RecommendationError.unreadableFile`, also when a line is longer than 1 MiB.
    public static func lines(of path: String) throws -> [(number: Int, text: String)] {
        let reader = try LineReader(SourceFile(path))
        var lines: [(number: Int, text: String)] = []
        while let line = try reader.next() {
            guard !line.isTooLong else {
                throw RecommendationError.unreadableFile(
                    path: path, reason: "line \(line.number) is longer than \(LineReader.longestLine) bytes")
            }
            lines.append((line.number, DelimitedText.text(line.bytes)))
        }
        return lines
    }

    /// What an object of JSON lines names, by the names that an import knows. nil: not an object with each key once.
    public static func target(json line: String) throws(RecommendationError) -> NamedTarget? {
        guard let object = JSONFields(Array(line.utf8)[...]) else { return nil }
        let columns = Columns(header: object.keys, in: .ratings)
        let known = [columns.user, columns.item, columns.rating, columns.timestamp].compactMap(\.self)
        if let other = object.keys.indices.first(where: { !known.contains($0) }) {
            throw .invalidTarget(reason: "nobody knows what the key \(object.keys[other].prefix(40)) means")
        }
        func text(_ column: Int?, isID: Bool) throws(RecommendationError) -> String? {
            guard let column else { return nil }
            do {
                guard let text = try isID ? object.identifier(column) : object.text(column) else {
                    throw RecommendationError.invalidTarget(
                        reason: "the value of \(object.keys[column].prefix(40)) is neither text nor number")
                }
                return text
            } catch let error as RecommendationError {
                throw error
            } catch {
                throw .invalidTarget(reason: "\(object.keys[column].prefix(40)) \(error)")
            }
        }
        guard let user = try text(columns.user, isID: true) else {
            throw .invalidTarget(reason: "it names no user")
        }
        return NamedTarget(
            user: user, item: try text(columns.item, isID: true), timestamp: try text(columns.timestamp, isID: false))
    }
}

/// The texts of one line of a forget file, as they stand.
public struct NamedTarget: Hashable, Sendable {
    public var user: String
    /// nil: everything of the user.
    public var item: String?
    /// nil: at whatever time.
    public var timestamp: String?
}
