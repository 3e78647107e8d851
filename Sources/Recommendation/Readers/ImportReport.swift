/// A line that did not become an interaction or an item.
public struct RefusedLine: Codable, Hashable, Sendable {
    /// Name of the file, without its folder.
    public var file: String
    /// Counted from 1; the header is a line too.
    public var line: Int
    public var reason: String

    public init(file: String, line: Int, reason: String) {
        self.file = file
        self.line = line
        self.reason = reason
    }
}

/// What an import found. Refused lines are counted and the first of them named; the rest of the file goes in.
public struct ImportReport: Codable, Hashable, Sendable {
    /// Rows of data, without headers and empty lines, of all files together.
    public var read: Int
    /// Interactions handed out.
    public var kept: Int
    /// Items handed out, each once.
    public var items: Int
    /// Rows of which nothing was taken.
    public var refused: Int
    /// The first refused lines.
    public var samples: [RefusedLine]
    /// Refused rows by reason, in the order in which the reasons first occur.
    public var reasons: [RefusalCount]
    /// The files, in the order in which they were read, then those that were not.
    public var files: [SourceReport]

    /// How many refused lines are named.
    public static let sampleLimit = 20

    public init(
        read: Int = 0, kept: Int = 0, items: Int = 0, refused: Int = 0, samples: [RefusedLine] = [],
        reasons: [RefusalCount] = [], files: [SourceReport] = []
    ) {
        self.read = read
        self.kept = kept
        self.items = items
        self.refused = refused
        self.samples = samples
        self.reasons = reasons
        self.files = files
    }

    /// Files of ratings that say nothing of time.
    public var filesWithoutTime: [String] {
        files.filter { file in
            [.ratings, .both].contains(file.use) && !file.columns.contains { $0.meaning == "timestamp" }
        }.map(\.file)
    }

    mutating func refuse(_ refusal: Refusal, file: String, line: Int, row: Row? = nil) {
        refused += 1
        if samples.count < Self.sampleLimit {
            samples.append(RefusedLine(file: file, line: line, reason: refusal.text))
        }
        let position = reasons.firstIndex { $0.reason == refusal.kind.rawValue } ?? reasons.count
        if position == reasons.count { reasons.append(RefusalCount(reason: refusal.kind.rawValue)) }
        reasons[position].rows += 1
        guard reasons[position].examples.count < RefusalCount.exampleLimit else { return }
        reasons[position].examples.append(
            RefusalCount.Example(
                file: file, line: line, user: row?.user.flatMap { try? Identifier.canonical($0) },
                item: row?.item.flatMap { try? Identifier.canonical($0) }))
    }
}

/// One portion of an import: items come before the first interaction that names them.
public struct ReaderBatch: Hashable, Sendable {
    public var items: [Item]
    public var interactions: [Interaction]

    public init(items: [Item] = [], interactions: [Interaction] = []) {
        self.items = items
        self.interactions = interactions
    }
}
