import Foundation

/// Byte-pair encoding: byte-level, as GPT-2, SmolLM2, Llama 3 and Qwen use it, or over characters, as SentencePiece makes it
/// for Llama 2, Mistral and Phi 3.
///
/// Ids equal those of the reference `tokenizers` library (those of SentencePiece for a GGUF file's scores), also where a
/// vocabulary lacks symbols: without an unknown token they vanish.
struct BytePairTokenizer: Tokenizer {
    /// What merges the symbols of a word.
    enum Model: Sendable {
        case merges(BytePairModel)
        case scores(ScoredPieceModel)

        var largestID: Int32? {
            switch self {
            case .merges(let model): model.largestID
            case .scores(let model): model.largestID
            }
        }
    }

    /// What is done with blanks before a text is split.
    enum Blanks: Hashable, Sendable {
        case asTheyAre
        /// A text that does not begin with a blank gets one.
        case prefixed
        case marked(Metaspace)
    }

    let normalizations: [Normalization]
    let blanks: Blanks
    let preTokenizer: PreTokenizer
    let model: Model
    /// Found in the text as it stands.
    let addedTokens: AddedTokens
    /// Found in the normalised text.
    let normalizedTokens: AddedTokens
    let spelling: TokenSpelling
    var beginning: [Int32] = []
    /// Those of the added tokens that texts from outside may form, and the model for them; nil: all.
    var formable: (asItStands: AddedTokens, normalized: AddedTokens, model: Model)?

    /// Embedding rows of the model, beyond which an id is no token; nil: not known.
    var rows: Int?

    /// Whether a text that begins with a letter gets a blank in front.
    var isPrefixed: Bool {
        switch blanks {
        case .asTheyAre: normalizations.contains { if case .prepended = $0 { true } else { false } }
        case .prefixed: true
        case .marked(let metaspace): metaspace.prefix != .never
        }
    }

    var vocabularySize: Int { spelling.tokens.count }

    func encode(_ text: String) -> [Int32] {
        encode(text, addedTokens: addedTokens, normalizedTokens: normalizedTokens, model: model)
    }

    func encode(_ text: String, addedTokens: AddedTokens, normalizedTokens: AddedTokens, model: Model) -> [Int32] {
        var ids: [Int32] = []
        ids.reserveCapacity(text.utf8.count / 3 + 8)
        encode(
            text[...], isFirst: true, addedTokens: addedTokens, normalizedTokens: normalizedTokens, model: model,
            into: &ids)
        return ids
    }

    /// - Parameter isFirst: nothing stands in front of the text.
    func encode(
        _ text: Substring, isFirst: Bool, addedTokens: AddedTokens, normalizedTokens: AddedTokens, model: Model,
        into ids: inout [Int32]
    ) {
        var mergers = Mergers()
        // The first piece of the first piece begins the text: nothing but a token can stand before the others.
        for (place, piece) in addedTokens.split(text).enumerated() {
            guard case .text(let part) = piece else {
                if case .token(let id) = piece { ids.append(id) }
                continue
            }
            for (index, piece) in normalizedTokens.split(normalizations.applied(to: part)).enumerated() {
                switch piece {
                case .token(let id): ids.append(id)
                case .text(let part):
                    encode(part, isFirst: isFirst && place == 0 && index == 0, model, with: &mergers, into: &ids)
                }
            }
        }
    }

    /// The buffers of both kinds of merging.
    private struct Mergers {
        var pairs = BytePairMerger()
        var scores = ScoreMerger()
    }

    private func encode(
        _ text: Substring, isFirst: Bool, _ model: Model, with mergers: inout Mergers, into ids: inout [Int32]
    ) {
        let marked: Substring
        switch blanks {
        case .asTheyAre: marked = text
        case .prefixed: marked = text.utf8.first != 0x20 ? (" " + text)[...] : text
        case .marked(let metaspace): marked = metaspace.applied(to: text, isFirst: isFirst)
        }
        let words = preTokenizer.byteRanges(marked)
        var bytes = String(marked)
        bytes.withUTF8 { utf8 in
            switch model {
            case .merges(let model):
                for word in words {
                    model.encode(UnsafeBufferPointer(rebasing: utf8[word]), with: &mergers.pairs, into: &ids)
                }
            case .scores(let model):
                for word in words {
                    model.encode(UnsafeBufferPointer(rebasing: utf8[word]), with: &mergers.scores, into: &ids)
                }
            }
        }
    }

    func decode(_ ids: [Int32]) -> String { spelling.text(of: ids) }
}
