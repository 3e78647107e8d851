import Files
import Foundation
import LanguageModels
import Recommendation

/// What the stages of one training are called: digests of everything that determines them, like the entries of a build cache.
///
/// The name after slice s is made of the specification, of the arithmetic that computes, and of the manifests of slices 1…s:
/// nothing of later slices is in it. So is that of a checkpoint in slice s.
public struct StageNames: Sendable {
    /// After slice 1, 2 and so on but the last: what comes after that is the adapter.
    private let names: [String]
    /// In slice 1, 2 and so on.
    private let checkpoints: [String]
    /// What was trained by then.
    private let data: [StageData]
    private let specification: TrainingSpecification
    /// Prompts of each slice.
    private let counts: [Int]

    /// - `arithmetic`: `ArithmeticFingerprint` of the machine.
    /// - `digests`: `TrainingPrompt.digest` of each prompt.
    /// - Throws: `UnlearningError.noSuchSlice`.
    public init(
        specification: TrainingSpecification, arithmetic: String, prompts: [TrainingPrompt], digests: [String]
    ) throws {
        let dealing = SliceDealing(specification)
        var sums = [ManifestDigest](repeating: ManifestDigest(), count: specification.slices)
        var counts = [Int](repeating: 0, count: specification.slices)
        for (prompt, digest) in zip(prompts, digests) {
            let place = try dealing.slice(of: prompt) - 1
            sums[place].add(ManifestDigest.Entry(id: prompt.id, digest: digest))
            counts[place] += 1
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let content = sha256(try encoder.encode(specification))
        let manifests = sums.map(\.hexadecimal)
        var whole = StageSum()
        data = zip(sums, counts).dropLast().map { whole.adding($0.0, prompts: $0.1) }
        func name(_ kind: String, _ slice: Int) -> String {
            FieldHash.hexadecimal([kind, content, arithmetic, String(slice)] + manifests.prefix(slice))
        }
        names = (1..<specification.slices).map { name("lethe stage", $0) }
        // Which epoch will have been the best is not part of a stage.
        checkpoints = specification.heldOut > 0 ? [] : (1...specification.slices).map { name("lethe checkpoint", $0) }
        (self.specification, self.counts) = (specification, counts)
    }

    /// What the slices up to this one hold; nil: there is no stage after it.
    public func data(of slice: Int) -> StageData? { data.indices.contains(slice - 1) ? data[slice - 1] : nil }

    /// After this slice, counted from 1; nil: there is no stage after it.
    public subscript(slice: Int) -> String? { names.indices.contains(slice - 1) ? names[slice - 1] : nil }

    /// The slice after which a stage has this name; nil: it is another training's.
    public func slice(of name: String) -> Int? { names.firstIndex(of: name).map { $0 + 1 } }

    /// In the middle of this slice, counted from 1; nil: none is made there.
    public func checkpoint(in slice: Int) -> String? {
        checkpoints.indices.contains(slice - 1) ? checkpoints[slice - 1] : nil
    }

    /// The slice in which a checkpoint has this name; nil: it is another training's.
    public func slice(ofCheckpoint name: String) -> Int? { checkpoints.firstIndex(of: name).map { $0 + 1 } }

    /// Whether this training passes it.
    public func contains(_ stage: TrainingStage) -> Bool {
        stage.name == (stage.isCheckpoint ? checkpoint(in: stage.slice) : self[stage.slice])
    }

    /// The last slice that a stage comes after; 0: none.
    public var last: Int { names.count }

    /// Whether this training can begin at it: it is one of those that it passes, of the adapter's shape, and after as many steps as
    /// its slices take. Whoever made it is believed in everything else.
    public func canBegin(at stage: TrainingStage, model: ModelConfiguration) -> Bool {
        stepsTaken(by: stage, AdapterLayout(model: model, configuration: specification.lora)) != nil
    }

    /// Steps that a checkpoint has taken of its slice, which has more of them; of a stage 0. nil: this training cannot begin at it.
    func stepsTaken(by stage: TrainingStage, _ layout: AdapterLayout) -> Int? {
        guard contains(stage), counts.indices.contains(stage.slice - 1), stage.state.isUsable(layout, specification)
        else { return nil }
        func steps(_ slices: some Sequence<Int>) -> Int {
            slices.reduce(0) { $0 + AdapterTraining.stepCount(samples: $1, specification: specification) }
        }
        guard stage.isCheckpoint else { return stage.steps == steps(counts.prefix(stage.slice)) ? 0 : nil }
        let taken = stage.steps - steps(counts.prefix(stage.slice - 1))
        return taken > 0 && taken < steps(counts[(stage.slice - 1)..<stage.slice]) ? taken : nil
    }
}

/// The prompts that a stage was trained on.
public struct StageData: Hashable, Sendable {
    /// `ShardManifest.digest`
    public var manifest: String
    public var prompts: Int

    public init(manifest: String, prompts: Int) {
        self.manifest = manifest
        self.prompts = prompts
    }

    public static let nothing = StageData(manifest: ManifestDigest().hexadecimal, prompts: 0)
}

/// The slices so far, as one manifest.
private struct StageSum {
    private var digest = ManifestDigest()
    private var prompts = 0

    mutating func adding(_ slice: ManifestDigest, prompts more: Int) -> StageData {
        digest.add(slice)
        prompts += more
        return StageData(manifest: digest.hexadecimal, prompts: prompts)
    }
}
