import LanguageModels
import Testing

struct DecoderTreeTests {
    @Test("A shared beginning becomes one segment, and every prompt's path spells the prompt")
    func paths() {
        let prompts = TinyModel.prompts(12) + [TinyModel.prompts(12)[4]]
        let tree = TokenTree(prompts: prompts)
        for (index, prompt) in prompts.enumerated() {
            let answer = tree.answers[index]
            let path = tree.path(to: tree.answerSegments[answer]).map { tree.segments[$0] }
            let spelled = path.flatMap { Array(tree.tokens[$0.start..<($0.start + $0.count)]) }
            #expect(spelled == prompt)
            let last = path.last.map { $0.start + $0.count - 1 }
            #expect(Int(tree.answerRows[answer]) == last)
            var offset = 0
            for segment in path {
                #expect(segment.offset == offset)
                let positions = Array(tree.positions[segment.start..<(segment.start + segment.count)])
                #expect(positions == (offset..<(offset + segment.count)).map { Int32($0) })
                offset += segment.count
            }
        }
        // 8 of 12 prompts begin with the same 24 tokens, 4 of them go on with the same 16.
        let lengths = prompts.dropLast().map(\.count).reduce(0, +)
        #expect(tree.tokens.count == lengths - 7 * 24 - 3 * 16)
    }

    @Test("Prompts of different groups share nothing, short beginnings are not shared")
    func limits() {
        let prompt = (0..<20).map { Int32($0) }
        #expect(TokenTree(prompts: [prompt, prompt]).tokens.count == 20)
        #expect(TokenTree(prompts: [prompt, prompt], groups: [0, 1]).tokens.count == 40)
        let short = Array(prompt.prefix(TokenTree.minimumShared - 1))
        #expect(TokenTree(prompts: [short + [50], short + [51]]).tokens.count == 2 * TokenTree.minimumShared)
    }

    @Test("A prompt that is the beginning of another is answered inside it")
    func beginnings() {
        let prompt = (0..<40).map { Int32($0) }
        let tree = TokenTree(prompts: [prompt, Array(prompt.prefix(20)), Array(prompt.prefix(3))])
        #expect(tree.tokens.count == 43)
        #expect(tree.answers.map { tree.answerRows[$0] }.count == 3)
        #expect(Set(tree.answers).count == 3)
    }

    @Test("Micro-batches keep the order, cover all prompts and mind the budget")
    func microBatches() {
        let prompts = TinyModel.prompts(40)
        let batches = MicroBatches.consecutive(prompts: prompts, budget: 150)
        #expect(batches.flatMap { $0 } == Array(prompts.indices))
        #expect(batches.allSatisfy { batch in TokenTree(prompts: batch.map { prompts[$0] }).tokens.count <= 150 })
        let sorted = MicroBatches.sorted(prompts: prompts, groups: [], budget: 150)
        #expect(sorted.flatMap { $0 }.sorted() == Array(prompts.indices))
        #expect(sorted.count < batches.count)
        let long = (0..<500).map { Int32($0 % 96) }
        #expect(MicroBatches.consecutive(prompts: [long, long], budget: 10) == [[0], [1]])
    }

    @Test("Row blocks cover the rows and do not overlap, for every number of rows")
    func rowBlocks() {
        for rows in 1...700 {
            let blocks = RowBlocks(rows: rows)
            #expect((0..<blocks.count).map { blocks.count($0) }.reduce(0, +) == rows)
            #expect((0..<blocks.count).allSatisfy { blocks.count($0) > 0 && blocks.padded($0) <= RowBlocks.largest })
            #expect((0..<(blocks.count - 1)).allSatisfy { blocks.padded($0) == blocks.size })
            #expect(blocks.capacity >= rows && blocks.capacity < rows + RowBlocks.step)
        }
    }

    @Test("Scoring together equals scoring one by one", arguments: [TinyModel.llama, .qwen2], [Precision.f32, .bf16])
    func oneByOne(model: TinyModel, precision: Precision) throws {
        let prompts = TinyModel.prompts(20)
        let mixture = AdapterMixture([model.adapter()])
        let decoder = try model.decoder(precision, tokenBudget: 40)
        let together = try decoder.answerLogits(prompts: prompts, adapters: mixture, weights: nil)
        for (index, prompt) in prompts.enumerated() {
            let alone = try decoder.answerLogits(prompts: [prompt], adapters: mixture, weights: nil)
            #expect(abs(together[index].margin - alone[0].margin) < (precision == .f32 ? 1e-5 : 2e-2))
        }
    }

    @Test("Long prompts are attended to across tiles")
    func long() throws {
        let model = TinyModel.llama
        let prompt: [Int32] = (0..<250).map { (index: Int) -> Int32 in Int32((index * 37 + index / 7) % 96) }
        let decoder = try model.decoder()
        let branch = Array(prompt.prefix(100)) + [Int32](repeating: 5, count: 90)
        let together = try decoder.answerLogits(prompts: [prompt, branch], adapters: nil, weights: nil)
        var alone: [AnswerLogits] = []
        for one in [prompt, branch] {
            alone += try decoder.answerLogits(prompts: [one], adapters: nil, weights: nil)
        }
        for (left, right) in zip(together, alone) { #expect(abs(left.margin - right.margin) < 1e-5) }
    }
}
