import Foundation
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Stages as bytes")
struct StageFileTests {
    private let stage: TrainingStage
    private let bytes: Data
    private let averaged: TrainingStage

    init() throws {
        stage = try Self.stage(averaging: .none)
        averaged = try Self.stage(averaging: .steps)
        bytes = try Self.bytes(of: stage)
    }

    private static func stage(averaging: WeightAveraging) throws -> TrainingStage {
        var stages: [TrainingStage] = []
        _ = try AdapterTraining.train(
            model: LetterModel(), tokenizer: ByteTokenizer(), samples: letterPrompts(20),
            specification: TrainingSpecification(
                base: "base", precision: .f32, lora: LoRAConfiguration(rank: 2, alpha: 4, targets: [.query]), epochs: 3,
                weightDecay: 0.1, slices: 2, averaging: averaging),
            stages: StageKeeping(arithmetic: "a") { stages.append($0) })
        return try #require(stages.first)
    }

    private static func bytes(of stage: TrainingStage) throws -> Data {
        var bytes = Data()
        try stage.write { bytes.append($0) }
        return bytes
    }

    private struct Short: Error {}

    private func read(_ bytes: Data) throws -> TrainingStage {
        var rest = bytes
        return try TrainingStage(count: bytes.count) { buffer in
            guard rest.count >= buffer.count else { throw Short() }
            buffer.copyBytes(from: rest.prefix(buffer.count))
            rest = rest.dropFirst(buffer.count)
        }
    }

    /// The same with another header.
    private func changing(
        _ other: Data? = nil, _ change: (inout [String: Any]) -> Void
    ) throws -> Data {
        let bytes = other ?? self.bytes
        let length = Int(bytes[bytes.startIndex + 8]) + Int(bytes[bytes.startIndex + 9]) << 8
        let json = bytes.dropFirst(16).prefix(length)
        var header = try #require(try JSONSerialization.jsonObject(with: json) as? [String: Any])
        change(&header)
        let new = try JSONSerialization.data(withJSONObject: header)
        return bytes.prefix(8) + withUnsafeBytes(of: UInt64(new.count).littleEndian) { Data($0) } + new
            + bytes.dropFirst(16 + length)
    }

    @Test("A stage comes back as it was")
    func roundTrip() throws {
        #expect(try read(bytes) == stage)
        #expect(try read(changing { _ in }) == stage)
        #expect(!String(decoding: bytes, as: UTF8.self).contains("averaged"))
        #expect(try read(Self.bytes(of: averaged)) == averaged)
    }

    @Test("A mean of more steps than there were, or of none, is refused")
    func averages() throws {
        let bytes = try Self.bytes(of: averaged)
        for count in [0, -1, 1 << 20, Int.max] {
            let file = try changing(bytes) { $0["averaged"] = count }
            #expect(throws: UnlearningError.malformedStage(reason: "its header counts from nothing")) { try read(file) }
        }
        // With a mean that is not there, and without one that is.
        #expect(throws: UnlearningError.self) { try read(changing { $0["averaged"] = 1 }) }
        #expect(throws: UnlearningError.self) { try read(changing(bytes) { $0["averaged"] = nil }) }
    }

    @Test("Bytes that were cut off, added or changed in the header are refused before anything is allocated for them")
    func damage() throws {
        for count in [0, 7, 15, 16, 40, bytes.count - 1] {
            #expect(throws: UnlearningError.self, "\(count) bytes") { try read(bytes.prefix(count)) }
        }
        #expect(throws: UnlearningError.self) { try read(bytes + [0]) }
        var magic = bytes
        magic[magic.startIndex] ^= 1
        #expect(throws: UnlearningError.malformedStage(reason: "it is no stage")) { try read(magic) }
        var length = bytes
        for position in 8..<16 { length[length.startIndex + position] = 255 }
        #expect(throws: UnlearningError.malformedStage(reason: "its header has no end")) { try read(length) }
        for number in [-1, 0, Int.max, Int.max / 12, 1 << 40] {
            let file = try changing { $0["parameters"] = number }
            #expect(throws: UnlearningError.self, "\(number) parameters") { try read(file) }
        }
        for (key, number) in [("slice", 0), ("slice", 1 << 40), ("steps", -1), ("tokens", -1)] {
            let file = try changing { $0[key] = number }
            #expect(throws: UnlearningError.self, "\(key) \(number)") { try read(file) }
        }
        let headless = try changing { $0["lossSums"] = nil }
        #expect(throws: UnlearningError.malformedStage(reason: "its header cannot be read")) { try read(headless) }
    }

    @Test("Numbers that are none are refused")
    func notFinite() throws {
        var file = bytes
        file.replaceSubrange((file.endIndex - 4)..., with: [0, 0, 0x80, 0x7F])
        #expect(throws: UnlearningError.notFinite(what: "the stored stage")) { try read(file) }
    }

    @Test("Squares that are below zero are refused: the next step would have no number")
    func squares() throws {
        var file = bytes
        file.replaceSubrange((file.endIndex - 4)..., with: [0, 0, 0x80, 0xBF])
        #expect(throws: UnlearningError.malformedStage(reason: "its second moments are below zero")) {
            try read(file)
        }
    }

    @Test("No training begins at a stage of another shape, after other steps, or that counts other tokens")
    func misfits() throws {
        let prompts = letterPrompts(20)
        let specification = TrainingSpecification(
            base: "base", precision: .f32, lora: LoRAConfiguration(rank: 2, alpha: 4, targets: [.query]), epochs: 3,
            weightDecay: 0.1, slices: 2)
        let names = try StageNames(
            specification: specification, arithmetic: "a", prompts: prompts, digests: prompts.map(\.digest))
        let model = LetterModel().configuration
        func train(_ stage: TrainingStage) throws -> TrainedAdapter {
            try AdapterTraining.train(
                model: LetterModel(), tokenizer: ByteTokenizer(), samples: prompts, specification: specification,
                stages: StageKeeping(arithmetic: "a", first: stage))
        }
        #expect(names.canBegin(at: stage, model: model))
        #expect(try train(stage).report.slices?.first == 2)
        let foreign = UnlearningError.foreignStage(name: stage.name)
        let changes: [(isSeen: Bool, (inout [String: Any]) -> Void)] = [
            (true, { $0["steps"] = stage.steps + 1 }), (true, { $0["steps"] = Int.max }), (true, { $0["slice"] = 2 }),
            (true, { $0["slice"] = 1024 }), (true, { $0["lossSums"] = [1.5] }), (true, { $0["weightDecay"] = 0.5 }),
            (true, { $0["isCheckpoint"] = true }), (true, { $0["name"] = "other" }),
            // Only who reads the prompts knows better.
            (false, { $0["tokens"] = stage.tokens + 1 }), (false, { $0["tokens"] = Int.max }),
        ]
        for (number, change) in changes.enumerated() {
            let misfit = try read(changing { change.1(&$0) })
            #expect(names.canBegin(at: misfit, model: model) == !change.isSeen, "change \(number)")
            #expect(throws: misfit.name == stage.name ? foreign : .foreignStage(name: "other"), "change \(number)") {
                try train(misfit)
            }
        }
        var wider = model
        wider.hidden *= 2
        #expect(!names.canBegin(at: stage, model: wider))
    }
}
