import Coordination
import Foundation
import Ledger
import Messages
import Recommendation
import Serving

/// What a question needs, as it is in the ledger.
struct CollectedQuestion: Sendable {
    var job: QueryJob
    var basis: AnswerBasis
}

/// What a question needs of the ledger.
extension LedgerService {
    /// - Throws: `ClientError`, `LedgerError`.
    func collect(_ request: ClientRequest.QueryRequest) throws -> CollectedQuestion {
        let attention = try preparedAttention()
        let material = try material(request, attention)
        let job = try QueryJob(
            request, material, attention: attention,
            adapters: .files(
                directory: ledger.directory.appendingPathComponent("adapters").path, keys: try adapterKeys()),
            layout: layout)
        return CollectedQuestion(job: job, basis: AnswerBasis(material))
    }

    /// The same for a gateway, which computes it.
    ///
    /// - Throws: `ClientError`, `LedgerError`.
    func material(_ request: ClientRequest.QueryRequest) throws -> QuestionMaterial {
        try material(request, preparedAttention())
    }

    private func material(
        _ request: ClientRequest.QueryRequest, _ attention: PreparedAttention
    ) throws -> QuestionMaterial {
        guard let configuration = try ledger.promptConfiguration() else {
            throw ClientError(code: .noData, message: "nothing was imported yet")
        }
        guard !request.items.isEmpty || request.top != nil, request.top.map({ $0 > 0 }) ?? true else {
            throw ClientError(code: .invalidRequest, message: "there is nothing to ask about")
        }
        if let objection = try objection(to: request, under: configuration) {
            throw ClientError(code: .invalidRequest, message: objection)
        }
        let limit = request.limit ?? (request.candidates == nil ? WireLimits.ranked : 0)
        let data: QuestionData
        do {
            data = try ledger.question(
                user: request.user, history: request.history, items: request.items, filter: request.filter,
                limit: limit, candidates: request.candidates)
        } catch let objection as QuestionObjection {
            throw ClientError(objection, user: request.user, limit: limit)
        }
        guard !data.items.isEmpty else {
            let message = request.filter == nil ? "there is nothing to ask about" : "the filter lets no item through"
            throw ClientError(code: .invalidRequest, message: message)
        }
        let present = Set(attention.members.map(\.shard))
        return QuestionMaterial(
            person: data.person, user: data.user, history: data.history, titles: data.titles, items: data.items,
            prompts: configuration, members: attention.members, parameters: attention.parameters,
            attention: attention.looksAtQuery ? try attentionPayloads().digest : nil,
            absentShards: try ledger.snapshot().shards.filter { $0.prompts > 0 && !present.contains($0.index) }
                .map(\.index),
            rule: ledger.configuration.rule, embedding: ledger.configuration.embedding,
            whenNoAdapter: ledger.configuration.whenNoAdapter, retrieval: data.retrieval)
    }

    /// Why it cannot be answered, whatever is in the ledger's rows; nil: it can.
    private func objection(
        to request: ClientRequest.QueryRequest, under configuration: PromptConfiguration
    ) throws -> String? {
        if let objection = request.objection { return objection }
        let fields = try configuration.template?.itemFields() ?? []
        let unknown = request.filter?.conditions.map(\.field).first { !fields.contains($0) }
        let known = fields.isEmpty ? "the template shows none" : "the template shows \(fields.joined(separator: ", "))"
        return unknown.map { "items have no field \($0.clipped): \(known)" }
    }

    /// What answers that are being computed must not rest on any more; nil: the write forgot nothing.
    func forgottenInputs(of outcome: LedgerOutcome) -> ForgottenInputs? {
        let touched = ledger.takeTouched()
        guard case .forgotten(let forgotten, _) = outcome else {
            // It failed after others of the same transaction had not, or was committed and could not be read.
            guard touched != ForgottenBasis() else { return nil }
            return ForgottenInputs(
                people: touched.people, items: touched.items, adapters: [], changesReferences: true,
                changesLikes: touched.changesLikes ? true : nil)
        }
        let counts = forgotten.counts
        let references = [counts.promptsDeleted, counts.promptsRebuilt, counts.promptsAdded].map(\.validation)
        return ForgottenInputs(
            people: touched.people, items: touched.items, adapters: Set(forgotten.droppedAdapters),
            changesReferences: references.contains { $0 > 0 }, changesLikes: touched.changesLikes ? true : nil)
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
                message: "the catalogue has more than \(limit) items that \(user.isEmpty ? "the history" : user) has "
                    + "not rated, and each is computed: "
                    + "have candidates chosen (--candidates N), name them (--candidates FILE, or - for standard input; "
                    + "--item), or raise --limit")
        }
    }
}
