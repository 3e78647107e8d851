import Messages

/// Of whom something was forgotten since whoever computes something of prompts last asked which of them are gone, and in the span
/// before: what was given out while a question was on its way is asked about by the next one.
struct ForgottenLately {
    /// Of more people everybody's prompts are looked at.
    private static let most = 1 << 16

    private struct Span {
        var people: Set<Int64> = []
        var isEverybody = false
    }

    private var span = Span()
    private var before = Span()

    mutating func note(_ person: Int64) {
        if span.people.count >= Self.most { span = Span(isEverybody: true) }
        if !span.isEverybody { span.people.insert(person) }
    }

    /// Begins another span.
    ///
    /// - Returns: whether something may have been forgotten of a person in the last one or the one before.
    mutating func take() -> (Int64) -> Bool {
        let (last, earlier) = (span, before)
        (before, span) = (span, Span())
        return { person in
            [last, earlier].contains { $0.isEverybody || $0.people.contains(person) }
        }
    }
}

extension Ledger {
    /// Which of these prompts, which were handed out, are there no more because something of their people was forgotten. To be asked
    /// about everything that is computed, one question after another: nobody's record is opened but those people's.
    package func goneLately(of digests: [String]) throws -> [String] {
        let mayBeGone = forgottenLately.take()
        return try read { db in
            // One of which it is not remembered whose it is cannot be looked for among everybody's.
            let doubted = digests.filter { digest in places[digest].map(mayBeGone) ?? false }
            let unknown = digests.filter { places[$0] == nil }
            guard !doubted.isEmpty else { return unknown }
            return unknown + zip(doubted, try stored(doubted, in: .everything, db)).compactMap { $1 == nil ? $0 : nil }
        }
    }
}
