/// The splitting patterns of known byte-level tokenizers.
enum SplitPattern: CaseIterable, Hashable, Sendable {
    case gpt2
    case llama3
    case qwen2
    /// Mistral-Nemo's.
    case tekken
    /// GPT-4o's, which Phi-4-mini has too.
    case o200k

    /// The published regular expression.
    var expression: String {
        switch self {
        case .gpt2:
            #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
        case .llama3:
            #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"#
                + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
        case .qwen2:
            #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"#
                + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
        case .tekken:
            Self.casedWords(suffix: "") + #"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
        case .o200k:
            Self.casedWords(suffix: "(?i:'s|'t|'re|'ve|'m|'ll|'d)?")
                + #"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
        }
    }

    /// A word ends where a small letter is followed by a capital one.
    private static func casedWords(suffix: String) -> String {
        let (upper, lower) = (#"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"#, #"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"#)
        return [("*", "+"), ("+", "*")].map { #"[^\r\n\p{L}\p{N}]?"# + upper + $0.0 + lower + $0.1 + suffix }
            .joined(separator: "|")
    }

    /// nil for an expression that no known tokenizer uses.
    init?(expression: String) {
        guard let known = Self.allCases.first(where: { $0.expression == expression }) else { return nil }
        self = known
    }

    /// Appends the words of `piece`; the pattern sees nothing outside of it.
    func split(_ text: ScalarText, _ piece: Range<Int>, into words: inout [Range<Int>]) {
        var start = piece.lowerBound
        while start < piece.upperBound {
            let end: Int
            switch self {
            case .gpt2: end = text.gpt2Word(from: start, to: piece.upperBound)
            case .llama3: end = text.modernWord(from: start, to: piece.upperBound, digits: 3)
            case .qwen2: end = text.modernWord(from: start, to: piece.upperBound, digits: 1)
            case .tekken: end = text.casedWord(from: start, to: piece.upperBound, digits: 1, contracts: false)
            case .o200k: end = text.casedWord(from: start, to: piece.upperBound, digits: 3, contracts: true)
            }
            words.append(start..<end)
            start = end
        }
    }
}

extension ScalarText {
    private static let apostrophe: UInt32 = 0x27
    private static let blank: UInt32 = 0x20
    private static let slash: UInt32 = 0x2f

    /// End of the word of GPT-2's pattern that begins at `start`.
    fileprivate func gpt2Word(from start: Int, to end: Int) -> Int {
        if values[start] == Self.apostrophe, let stop = contraction(start, end, ignoringCase: false) { return stop }
        let first = values[start] == Self.blank && start + 1 < end ? start + 1 : start
        if classes[first] != .space { return run(of: classes[first], from: first, to: end) }
        return spaces(from: start, to: end)
    }

    /// End of the word of the pattern of Llama 3 and Qwen 2, which differ in how many digits stay together.
    fileprivate func modernWord(from start: Int, to end: Int, digits: Int) -> Int {
        if values[start] == Self.apostrophe, let stop = contraction(start, end, ignoringCase: true) { return stop }
        if classes[start] == .letter { return run(of: .letter, from: start, to: end) }
        if classes[start] != .number, !isLineBreak(start), start + 1 < end, classes[start + 1] == .letter {
            return run(of: .letter, from: start + 1, to: end)
        }
        return withoutLetters(from: start, to: end, digits: digits, takesSlashes: false)
    }

    /// End of the word of the patterns of Mistral-Nemo and GPT-4o. A word may begin with any character but a letter, a number
    /// and a line break, and goes on as capitals and then small letters; letters without case and marks are either.
    fileprivate func casedWord(from start: Int, to end: Int, digits: Int, contracts: Bool) -> Int {
        let mayPrefix = classes[start] != .letter && classes[start] != .number && !isLineBreak(start)
        let starts = mayPrefix ? [start + 1, start] : [start]
        for first in starts {
            guard let stop = capitalsThenSmall(from: first, to: end) else { continue }
            return contracts ? behindContraction(stop, end) : stop
        }
        for first in starts {
            let capitals = caseRun(from: first, to: end, without: .small)
            guard capitals > first else { continue }
            let stop = caseRun(from: capitals, to: end, without: .capital)
            return contracts ? behindContraction(stop, end) : stop
        }
        return withoutLetters(from: start, to: end, digits: digits, takesSlashes: true)
    }

    /// Any capitals, then at least one small letter; the last of the capitals that may be a small one, if none follows.
    private func capitalsThenSmall(from start: Int, to end: Int) -> Int? {
        let capitals = caseRun(from: start, to: end, without: .small)
        let stop = caseRun(from: capitals, to: end, without: .capital)
        if stop > capitals { return stop }
        return (start..<capitals).last { letterCase($0) == .either }.map { $0 + 1 }
    }

    private func caseRun(from start: Int, to end: Int, without other: LetterCase) -> Int {
        var stop = start
        while stop < end {
            let found = letterCase(stop)
            if found == other || found == .none { break }
            stop += 1
        }
        return stop
    }

    private func behindContraction(_ stop: Int, _ end: Int) -> Int {
        guard stop < end, values[stop] == Self.apostrophe else { return stop }
        return contraction(stop, end, ignoringCase: true) ?? stop
    }

    /// Numbers, signs and spaces of the patterns since Llama 3.
    private func withoutLetters(from start: Int, to end: Int, digits: Int, takesSlashes: Bool) -> Int {
        if classes[start] == .number { return min(run(of: .number, from: start, to: end), start + digits) }
        let first = values[start] == Self.blank && start + 1 < end ? start + 1 : start
        if classes[first] == .other {
            var stop = run(of: .other, from: first, to: end)
            while stop < end, isLineBreak(stop) || (takesSlashes && values[stop] == Self.slash) { stop += 1 }
            return stop
        }
        let stop = run(of: .space, from: start, to: end)
        if let last = (start..<stop).last(where: isLineBreak) { return last + 1 }
        return spaces(from: start, to: end)
    }

    /// `\s+(?!\S)|\s+`: all but the last of several spaces before a word.
    private func spaces(from start: Int, to end: Int) -> Int {
        let stop = run(of: .space, from: start, to: end)
        return stop < end && stop - start > 1 ? stop - 1 : stop
    }

    private func run(of kind: ScalarClass, from start: Int, to end: Int) -> Int {
        var stop = start + 1
        while stop < end, classes[stop] == kind { stop += 1 }
        return stop
    }

    private func isLineBreak(_ index: Int) -> Bool {
        values[index] == 0x0a || values[index] == 0x0d
    }

    /// `'s|'t|'re|'ve|'m|'ll|'d`
    private func contraction(_ start: Int, _ end: Int, ignoringCase: Bool) -> Int? {
        func letter(_ index: Int) -> Unicode.Scalar? {
            guard index < end, let scalar = Unicode.Scalar(values[index]) else { return nil }
            // U+017F, the long s, is an s to a pattern that ignores case.
            if ignoringCase, scalar.value == 0x17f { return "s" }
            guard ignoringCase, (0x41...0x5a).contains(scalar.value) else { return scalar }
            return Unicode.Scalar(scalar.value + 0x20)
        }
        switch (letter(start + 1), letter(start + 2)) {
        case ("s", _), ("t", _), ("m", _), ("d", _): return start + 2
        case ("r", "e"), ("v", "e"), ("l", "l"): return start + 3
        default: return nil
        }
    }
}
