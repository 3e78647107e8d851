import Coordination
import Foundation
import Ledger
import Messages
import Recommendation
import Serving

/// What a question needs of the ledger.
extension LedgerService {
    /// - Throws: `ClientError`, `LedgerError`.
    func collect(_ request: ClientRequest.QueryRequest) throws -> CollectedQuestion {
        guard let configuration = try ledger.promptConfiguration() else {
            throw ClientError(code: .noData, message: "nothing was imported yet")
        }
        guard !request.items.isEmpty || request.top != nil, request.top.map({ $0 > 0 }) ?? true else {
            throw ClientError(code: .invalidRequest, message: "there is nothing to ask about")
        }
        let limit = request.limit ?? WireLimits.ranked
        let data: QuestionData
        do {
            data = try ledger.question(user: request.user, items: request.items, limit: limit)
        } catch let objection as QuestionObjection {
            throw ClientError(objection, user: request.user, limit: limit)
        }
        guard !data.items.isEmpty else {
            throw ClientError(code: .invalidRequest, message: "there is nothing to ask about")
        }
        let builder = try PromptBuilder(configuration: configuration)
        let attention = try preparedAttention()
        let present = Set(attention.members.map(\.shard))
        let job = QueryJob(
            request: request, items: data.items,
            history: builder.queryHistory(user: data.user, interactions: data.history) { data.titles[$0] },
            builder: builder, attention: attention,
            absentShards: try ledger.snapshot().shards.filter { $0.prompts > 0 && !present.contains($0.index) }
                .map(\.index),
            adapterDirectory: ledger.directory.appendingPathComponent("adapters").path,
            adapterKeys: try adapterKeys(), layout: layout,
            rule: ledger.configuration.rule, embedding: ledger.configuration.embedding,
            whenNoAdapter: ledger.configuration.whenNoAdapter)
        let basis = AnswerBasis(
            person: data.person, items: Set(data.items.map(\.id) + data.history.map(\.item)),
            adapters: Set(attention.members.map(\.name)), looksAtReferences: attention.looksAtQuery,
            prompts: data.items.count)
        return CollectedQuestion(job: job, basis: basis)
    }

    /// What answers that are being computed must not rest on any more; nil: the write forgot nothing.
    func forgottenInputs(of outcome: LedgerOutcome) -> ForgottenInputs? {
        let touched = ledger.takeTouched()
        guard case .forgotten(let forgotten, _) = outcome else {
            // It failed after others of the same transaction had not, or was committed and could not be read.
            guard touched != ForgottenBasis() else { return nil }
            return ForgottenInputs(
                people: touched.people, items: touched.items, adapters: [], changesReferences: true)
        }
        let counts = forgotten.counts
        let references = [counts.promptsDeleted, counts.promptsRebuilt, counts.promptsAdded].map(\.validation)
        return ForgottenInputs(
            people: touched.people, items: touched.items, adapters: Set(forgotten.droppedAdapters),
            changesReferences: references.contains { $0 > 0 })
    }
}

extension ClientError {
    fileprivate init(_ objection: QuestionObjection, user: String, limit: Int) {
        switch objection {
        case .unknownUser: self.init(code: .unknownUser, message: "no user \(user)")
        case .unknownItems(let names):
            self.init(code: .unknownItem, message: "no item \(names.joined(separator: ", "))")
        case .tooManyItems:
            self.init(
                code: .tooLarge,
                message: "the catalogue has more than \(limit) items that \(user) has not rated, and each is computed: "
                    + "name candidates (--candidates FILE, or - for standard input; --item), or raise --limit")
        }
    }
}
