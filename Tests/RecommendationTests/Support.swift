import Foundation
import Recommendation

/// SplitMix64: the same numbers for the same seed, on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// A folder that is gone when the value is.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/lethe-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = path + "/" + name
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        return file
    }

    @discardableResult
    func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }
}

/// Everything that a reader hands out.
struct ReadData {
    var items: [Item] = []
    var interactions: [Interaction] = []
    var report = ImportReport()
    var largestBatch = 0

    init(_ format: RatingsReader.Format, _ path: String, _ rules: ReadingRules = ReadingRules(), size: Int = 64) throws
    {
        try self.init(format, [path], rules, size: size)
    }

    init(
        _ format: RatingsReader.Format, _ paths: [String], _ rules: ReadingRules = ReadingRules(), size: Int = 64
    ) throws {
        var data = (items: [Item](), interactions: [Interaction](), largest: 0)
        report = try RatingsReader(format: format, paths: paths, rules: rules).forEachBatch(size: size) { batch in
            data.items += batch.items
            data.interactions += batch.interactions
            data.largest = max(data.largest, batch.items.count + batch.interactions.count)
        }
        (items, interactions, largestBatch) = data
    }

    var titles: [String: String] {
        Dictionary(items.map { ($0.id, $0.title) }, uniquingKeysWith: { first, _ in first })
    }

    /// Users in the order in which the file first names them.
    var users: [String] {
        var seen: Set<String> = []
        return interactions.map(\.user).filter { seen.insert($0).inserted }
    }

    /// All prompts, user by user, in the order of the file's users.
    func prompts(_ configuration: PromptConfiguration) throws -> [Prompt] {
        let builder = try PromptBuilder(configuration: configuration)
        let titles = titles
        let byUser = Dictionary(grouping: interactions, by: \.user)
        let targets = TallrecSplit.assign(usersInFileOrder: users, configuration: configuration) { byUser[$0] ?? [] }
        let splits = Dictionary(uniqueKeysWithValues: targets.map { ($0.key, $0.split) })
        return users.flatMap { user in
            builder.prompts(user: user, interactions: byUser[user] ?? [], titles: { titles[$0] }, splits: splits)
        }
    }

    /// A made-up village's ratings in RecBole's format: 12 users with 4 to 30 ratings of 40 items.
    static func village() throws -> ReadData {
        let folder = Bundle.module.resourceURL?.appendingPathComponent("Fixtures/village").path
        return try ReadData(.recbole, folder ?? "Fixtures/village")
    }
}

/// One user's ratings of items "a", "b", … a second apart.
func ratings(_ values: [Double], user: String = "u") -> [Interaction] {
    values.enumerated().map { position, rating in
        Interaction(
            user: user, item: String(UnicodeScalar(UInt8(97 + position))), timestamp: Int64(position), rating: rating,
            ordinal: Int64(position))
    }
}

extension ImportReport {
    /// Without the names of files and columns.
    var counts: ImportReport {
        var report = self
        report.files = []
        return report
    }
}

extension ReadingRules {
    init(_ columns: String) throws {
        self.init(columns: try DeclaredColumns(parsing: columns))
    }
}
