import LanguageModels
import Recommendation

/// The prompts of a request, checked against the preparation.
struct NamedPrompts {
    struct Rebuilt {
        var old: TokenizedPrompt
        var entry: InfluencePreparation.Entry
        var new: TokenizedPrompt
        var forgottenShare: Double
    }

    let direct: [(prompt: TokenizedPrompt, entry: InfluencePreparation.Entry)]
    /// Those whose text is another one; a prompt rebuilt as it was contributes ∇ℓ − ∇ℓ = 0.
    let rebuilt: [Rebuilt]
    let added: [TokenizedPrompt]
    /// Rows of prompts that stay as they were.
    let retainedRows: [Int]
    private let preparation: InfluencePreparation

    init(
        _ request: InfluenceRequest, preparation: InfluencePreparation, model: any AnswerModel,
        tokenizer: any Tokenizer
    ) throws {
        guard !(request.direct.isEmpty && request.rebuilt.isEmpty && request.added.isEmpty) else {
            throw ApproximateError.emptyForgetSet
        }
        let limit = model.configuration.context
        // Refuses an id that occurs twice, in whichever part.
        let old = try TokenizedPrompt.all(
            request.direct + request.rebuilt.map(\.old), tokenizer: tokenizer, limit: limit)
        let new = try TokenizedPrompt.all(
            request.rebuilt.map(\.new) + request.added, tokenizer: tokenizer, limit: limit)
        let before = Dictionary(old.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        let after = Dictionary(new.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        direct = try request.direct.sorted { $0.id < $1.id }.compactMap { prompt in
            guard let prompt = before[prompt.id] else { return nil }
            return (prompt, try preparation.entry(of: prompt))
        }
        rebuilt = try request.rebuilt.sorted { $0.old.id < $1.old.id }.compactMap { change in
            guard change.old.id == change.new.id, let old = before[change.old.id], let new = after[change.new.id] else {
                throw ApproximateError.unknownPrompt(id: change.new.id)
            }
            let entry = try preparation.entry(of: old)
            guard old.digest != new.digest else { return nil }
            return Rebuilt(old: old, entry: entry, new: new, forgottenShare: change.forgottenShare)
        }
        added = request.added.sorted { $0.id < $1.id }.compactMap { after[$0.id] }
        let remaining = preparation.entries.count - direct.count
        guard remaining > 0 else { throw ApproximateError.emptyRetainedSet }
        guard direct.count <= remaining else {
            throw ApproximateError.forgetSetLargerThanRetained(forget: direct.count, retained: remaining)
        }
        let touched = Set(direct.compactMap(\.entry.row) + rebuilt.compactMap(\.entry.row))
        retainedRows = (0..<preparation.referenceCount).filter { !touched.contains($0) }
        guard !retainedRows.isEmpty else { throw ApproximateError.noReferenceRows }
        self.preparation = preparation
    }

    /// Some rows' prompts, to be deleted: what a calibration tries out.
    ///
    /// - `reading`: how a prompt becomes tokens.
    init(
        rows: [Int], preparation: InfluencePreparation, prompts: [Int: TrainingPrompt],
        reading read: (TrainingPrompt) throws -> TokenizedPrompt
    ) throws {
        direct = try rows.compactMap { prompts[$0] }.map { prompt in
            let prompt = try read(prompt)
            return (prompt, try preparation.entry(of: prompt))
        }
        (rebuilt, added) = ([], [])
        let touched = Set(rows)
        retainedRows = (0..<preparation.referenceCount).filter { !touched.contains($0) }
        guard !retainedRows.isEmpty else { throw ApproximateError.noReferenceRows }
        self.preparation = preparation
    }

    /// Share of the training's prompts that is to be deleted.
    var share: Double { Double(direct.count) / Double(max(1, preparation.entries.count)) }

    /// Rows of the prompts that have to go as they are, deleted or rebuilt, with their labels.
    var forgotten: [(row: Int, label: Bool)] {
        (direct.map { ($0.entry, $0.prompt) } + rebuilt.map { ($0.entry, $0.old) }).compactMap { entry, prompt in
            entry.row.map { ($0, prompt.label) }
        }
    }

    /// Those of the prompts that stay as they were and have a row, sorted by row.
    func probes(among prompts: [TrainingPrompt]) -> [(row: Int, prompt: TrainingPrompt)] {
        let allowed = Set(retainedRows)
        return prompts.compactMap { prompt -> (row: Int, prompt: TrainingPrompt)? in
            guard let position = preparation.positions[prompt.id], let row = preparation.entries[position].row,
                allowed.contains(row), preparation.entries[position].digest == prompt.digest
            else { return nil }
            return (row, prompt)
        }.sorted { $0.row < $1.row }
    }
}
