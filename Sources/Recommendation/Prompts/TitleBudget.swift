/// The rule by which one person's long titles stay that person's matter: the titles of a prompt may take a number of bytes
/// together. Where they take more, the longest are cut to the greatest common length that fits, so that short ones stay whole.
///
/// A cut title ends in "…", which counts; it is cut between characters, or between the scalars of a character that would
/// not fit as a whole.
struct TitleBudget {
    /// UTF-8 bytes of all titles of one prompt.
    let bytes: Int

    static let mark = "…"

    /// The titles as they are shown, in their order; equal to the argument where nothing is too long.
    func fitting(_ titles: [String]) -> [String] {
        if fits(titles) { return titles }
        let lengths = titles.map(\.utf8.count)
        let limit = commonLength(lengths)
        return zip(titles, lengths).map { title, length in length <= limit ? title : Self.cut(title, to: limit) }
    }

    /// Whether all are shown as they are.
    func fits(_ titles: [String]) -> Bool {
        var rest = bytes
        for title in titles {
            rest -= min(title.utf8.count, bytes + 1)
            if rest < 0 { return false }
        }
        return true
    }

    /// The greatest c with Σ min(length, c) ≤ bytes, for titles that take more.
    private func commonLength(_ lengths: [Int]) -> Int {
        var rest = bytes
        let sorted = lengths.sorted()
        for (position, length) in sorted.enumerated() {
            let share = rest / (sorted.count - position)
            if length > share { return share }
            rest -= length
        }
        return bytes
    }

    private static func cut(_ title: String, to limit: Int) -> String {
        let room = limit - mark.utf8.count
        guard room >= 0 else { return "" }
        var kept = ""
        var used = 0
        for character in title {
            let size = String(character).utf8.count
            if used + size <= room {
                kept.append(character)
                used += size
                continue
            }
            // A character of many scalars may be as long as a title.
            if kept.isEmpty {
                for scalar in character.unicodeScalars {
                    used += UTF8.width(scalar)
                    guard used <= room else { break }
                    kept.unicodeScalars.append(scalar)
                }
            }
            break
        }
        return kept + mark
    }
}
