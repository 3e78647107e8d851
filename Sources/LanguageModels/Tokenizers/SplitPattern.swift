/// The splitting patterns of known byte-level tokenizers.
enum SplitPattern: CaseIterable, Hashable, Sendable {
    case gpt2
    case llama3
    case qwen2

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
        }
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
            }
            words.append(start..<end)
            start = end
        }
    }
}

extension ScalarText {
    private static let apostrophe: UInt32 = 0x27
    private static let blank: UInt32 = 0x20

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
        switch classes[start] {
        case .letter: return run(of: .letter, from: start, to: end)
        case .number: return min(run(of: .number, from: start, to: end), start + digits)
        case .space, .other: break
        }
        if !isLineBreak(start), start + 1 < end, classes[start + 1] == .letter {
            return run(of: .letter, from: start + 1, to: end)
        }
        let first = values[start] == Self.blank && start + 1 < end ? start + 1 : start
        if classes[first] == .other {
            var stop = run(of: .other, from: first, to: end)
            while stop < end, isLineBreak(stop) { stop += 1 }
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
