/// The texts of one user's prompts: put together of the quoted titles, which are made once and stand in many of them.
///
/// A user who liked (or disliked) nothing of the history keeps the line, with nothing after colon and space, as in the
/// benchmark.
struct PromptText {
    private let titles: [String]
    private let isLiked: [Bool]
    private let budget: TitleBudget
    private let domain: String
    /// All titles in their quotes, one after the other.
    private let quoted: [UInt8]
    /// Where each ends.
    private let ends: [Int]
    /// What is being put together; kept for its room.
    private var text: [UInt8] = []

    /// - Parameter titles: of histories and targets, oldest first.
    init(_ titles: [(title: String, isLiked: Bool)], _ configuration: PromptConfiguration) {
        self.init(titles, TitleBudget(bytes: configuration.titleBytes), domain: configuration.domain.rawValue)
    }

    private init(_ titles: [(title: String, isLiked: Bool)], _ budget: TitleBudget, domain: String) {
        self.titles = titles.map(\.title)
        isLiked = titles.map(\.isLiked)
        self.budget = budget
        self.domain = domain
        var (quoted, ends): ([UInt8], [Int]) = ([], [])
        for (title, _) in titles {
            quoted.append(Self.quote)
            quoted.append(contentsOf: title.utf8)
            quoted.append(Self.quote)
            ends.append(quoted.count)
        }
        (self.quoted, self.ends) = (quoted, ends)
    }

    /// - Parameters:
    ///   - history: positions of the titles that are shown.
    ///   - target: position of the title that is asked about.
    mutating func input(history: Range<Int>, target: Int) -> String {
        let bytes = history.reduce(size(of: target)) { $0 + size(of: $1) }
        guard bytes <= budget.bytes else { return shortenedInput(history: history, target: target) }
        text.removeAll(keepingCapacity: true)
        text.append(contentsOf: "User Preference: ".utf8)
        append(history, liked: true)
        text.append(contentsOf: "\nUser Unpreference: ".utf8)
        append(history, liked: false)
        text.append(contentsOf: "\n".utf8)
        text.append(contentsOf: PromptTemplate.question.utf8)
        text.append(contentsOf: domain.utf8)
        text.append(contentsOf: " ".utf8)
        text.append(contentsOf: quoted[places(of: target)])
        text.append(contentsOf: "?".utf8)
        return String(decoding: text, as: UTF8.self)
    }

    private func shortenedInput(history: Range<Int>, target: Int) -> String {
        let shown = Array(history) + [target]
        let fitting = budget.fitting(shown.map { titles[$0] })
        var shortened = PromptText(
            zip(fitting, shown).map { (title: $0, isLiked: isLiked[$1]) }, budget, domain: domain)
        return shortened.input(history: 0..<history.count, target: history.count)
    }

    /// Those of one kind, with commas between them.
    private mutating func append(_ history: Range<Int>, liked: Bool) {
        var isFirst = true
        for position in history where isLiked[position] == liked {
            if !isFirst { text.append(contentsOf: ", ".utf8) }
            isFirst = false
            text.append(contentsOf: quoted[places(of: position)])
        }
    }

    private func places(of position: Int) -> Range<Int> { (position == 0 ? 0 : ends[position - 1])..<ends[position] }

    /// Bytes of UTF-8 of the title, without quotes.
    private func size(of position: Int) -> Int { places(of: position).count - 2 }

    private static let quote = UInt8(ascii: "\"")
}
