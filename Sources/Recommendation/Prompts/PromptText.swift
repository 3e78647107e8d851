/// The texts of one user's prompts: put together of the quoted items, which are made once and stand in many of them.
///
/// A list without items is what the template says of one: in the benchmark nothing, so that the line stays.
struct PromptText {
    private let titles: [String]
    private let isLiked: [Bool]
    private let budget: TitleBudget
    private let pieces: PromptPieces
    /// All titles in their quotes, one after the other.
    private let quoted: [UInt8]
    /// Where each ends.
    private let ends: [Int]
    /// What is being put together; kept for its room.
    private var text: [UInt8] = []

    /// - Parameter titles: what items are called, of histories and targets, oldest first.
    init(_ titles: [(title: String, isLiked: Bool)], _ budget: TitleBudget, _ pieces: PromptPieces) {
        self.titles = titles.map(\.title)
        isLiked = titles.map(\.isLiked)
        self.budget = budget
        self.pieces = pieces
        var (quoted, ends): ([UInt8], [Int]) = ([], [])
        for (title, _) in titles {
            quoted.append(contentsOf: pieces.quotes.open)
            quoted.append(contentsOf: title.utf8)
            quoted.append(contentsOf: pieces.quotes.close)
            ends.append(quoted.count)
        }
        (self.quoted, self.ends) = (quoted, ends)
    }

    /// - Parameters:
    ///   - history: positions of the titles that are shown.
    ///   - target: position of the title that is asked about.
    /// - Returns: with the bytes of the history alone, where they are counted.
    mutating func input(history: Range<Int>, target: Int) -> (text: String, historyBytes: Int?) {
        guard fits(history, target) else {
            var shortened = shortened(history: history, target: target)
            return shortened.input(history: 0..<history.count, target: history.count)
        }
        text.removeAll(keepingCapacity: true)
        for piece in pieces.history { append(piece, history: history, target: target) }
        let historyBytes = pieces.countsHistory ? text.count : nil
        text.append(contentsOf: pieces.glue)
        for piece in pieces.question { append(piece, history: history, target: target) }
        return (String(decoding: text, as: UTF8.self), historyBytes)
    }

    private func fits(_ history: Range<Int>, _ target: Int) -> Bool {
        history.reduce(size(of: target)) { $0 + size(of: $1) } <= budget.bytes
    }

    private func shortened(history: Range<Int>, target: Int) -> PromptText {
        let shown = Array(history) + [target]
        let fitting = budget.fitting(shown.map { titles[$0] })
        return PromptText(zip(fitting, shown).map { (title: $0, isLiked: isLiked[$1]) }, budget, pieces)
    }

    private mutating func append(_ piece: PromptPieces.Piece, history: Range<Int>, target: Int) {
        switch piece {
        case .text(let bytes): text.append(contentsOf: bytes)
        case .target: text.append(contentsOf: quoted[places(of: target)])
        case .liked: append(history, liked: true)
        case .disliked: append(history, liked: false)
        }
    }

    /// Those of one kind, with separators between them.
    private mutating func append(_ history: Range<Int>, liked: Bool) {
        var isFirst = true
        for position in history where isLiked[position] == liked {
            if !isFirst { text.append(contentsOf: pieces.separator) }
            isFirst = false
            text.append(contentsOf: quoted[places(of: position)])
        }
        if isFirst { text.append(contentsOf: pieces.empty) }
    }

    private func places(of position: Int) -> Range<Int> { (position == 0 ? 0 : ends[position - 1])..<ends[position] }

    /// Bytes of UTF-8 of the title, without quotes.
    private func size(of position: Int) -> Int {
        places(of: position).count - pieces.quotes.open.count - pieces.quotes.close.count
    }
}
