import Compute
import Foundation

/// Keys and values of the tokens with which prompts begin, in every layer, as one decoder computed them under one mixture and one
/// row of weights: what comes behind them is computed alone.
///
/// It holds only for the same decoder weights, adapters and ω: whoever keeps it has to see to that.
public final class KeptBeginning: Sendable {
    public let tokens: [Int32]
    /// Bytes of memory.
    public var bytes: Int { memory.bytes }
    private let memory: AlignedMemory
    /// Bytes of the keys, or of the values, of one layer.
    private let part: Int

    package init(tokens: [Int32], layers: Int, rowBytes: Int) throws {
        self.tokens = tokens
        part = tokens.count * rowBytes
        memory = try AlignedMemory(bytes: 2 * layers * part)
    }

    /// `[tokens, kv·d]` as elements, behind rope and the norm of heads.
    func keys(_ layer: Int) -> UnsafeMutableRawPointer { memory.pointer + 2 * layer * part }
    func values(_ layer: Int) -> UnsafeMutableRawPointer { memory.pointer + (2 * layer + 1) * part }
}

/// What of a call's prompts need not be computed, and what of them is to be kept.
public struct PromptBeginnings: Sendable {
    /// Of each prompt, with what it begins; nil: nothing of it is kept. Empty: nothing of any.
    public var known: [KeptBeginning?]
    /// Of these prompts so many first tokens are to be kept; fewer than the prompt has.
    public var wanted: [(prompt: Int, tokens: Int)]

    public init(known: [KeptBeginning?] = [], wanted: [(prompt: Int, tokens: Int)] = []) {
        self.known = known
        self.wanted = wanted
    }
}

extension DecoderPass {
    /// A beginning that is filled layer by layer, from the path that ends with an answer.
    struct Keeping {
        var answer: Int
        var target: KeptBeginning
    }

    /// After a layer's keys and values were made: those that are known are put behind them, and those that are wanted taken.
    func carryBeginnings(_ index: Int) {
        let layer = layer(index)
        let row = bytes(keyWidth)
        for segment in tree.segments {
            guard let number = segment.kept else { continue }
            let (offset, count) = (segment.start * row, segment.count * row)
            (layer.key + offset).copyMemory(from: beginnings[number].keys(index), byteCount: count)
            (layer.value + offset).copyMemory(from: beginnings[number].values(index), byteCount: count)
        }
        for keeping in keepings {
            var done = 0
            for part in tree.path(to: tree.answerSegments[keeping.answer]) {
                let segment = tree.segments[part]
                let count = min(segment.count, keeping.target.tokens.count - done)
                guard count > 0 else { break }
                let (from, to) = (segment.start * row, done * row)
                (keeping.target.keys(index) + to).copyMemory(from: layer.key + from, byteCount: count * row)
                (keeping.target.values(index) + to).copyMemory(from: layer.value + from, byteCount: count * row)
                done += count
            }
        }
    }
}
