import Foundation
import Messages
import Recommendation

/// `POST /rerank`, `/v1/rerank` and `/v2/rerank`, as clients of Cohere, Jina and Text Embeddings Inference (TEI) ask.
///
/// `query` is a user's id; instead of it a `history` may be given, of somebody who need not be in the ledger. `documents` (Cohere,
/// Jina) or `texts` (TEI) are items' ids: text, a number, or an object whose `id`, or else whose `text`, is one; those that
/// `exclude` names, or that `where` does not let through, are not among the results. `top_n` bounds the results,
/// `return_documents` or `return_text` repeats the documents, `raw_scores` (TEI) gives margins instead of probabilities. Other
/// members are left, as such clients send more: `model` is repeated and means nothing here. Only those that mean something to
/// `/v1/rank` are refused, or somebody would believe that they do here.
struct RerankRequest: Hashable, Sendable {
    enum Form: Hashable, Sendable { case documents, texts }

    static let paths = ["/rerank", "/v1/rerank", "/v2/rerank"]
    /// Some clients write null for what they leave open.
    private static let open: Set = ["top_n", "return_documents", "return_text", "raw_scores"]
    private static let elsewhere: Set = ["users", "items", "candidates", "top", "limit", "explain"]

    var form: Form
    /// Empty: a history was given.
    var user: String
    var history: [GivenRating]?
    /// Ids of the documents, in their order.
    var items: [String]
    /// Positions of those that are asked about.
    var asked: [Int]
    /// What those have to be that are answered.
    var conditions: [ItemFilter.Condition]
    var top: Int?
    var returnsDocuments: Bool
    var isRaw: Bool
    /// What the client calls the model.
    var model: String?
    var deadline: Duration?

    /// - Throws: `Problem` 422, or 404 for names that are nobody's.
    init(_ value: JSONValue) throws(Problem) {
        let fields = try JSONFields(value, known: nil, open: Self.open)
        if let other = fields.keys.first(where: Self.elsewhere.contains) {
            throw .invalid(
                "\(other) means nothing to a reranking: it names documents or texts, and top_n bounds its results")
        }
        history = try fields.history()
        // Clients of some services send a query in any case.
        let user = history != nil && fields["query"] == .text("") ? "" : try fields.identifier("query", of: .user)
        guard let user = user ?? history.map({ _ in "" }) else { throw .invalid("query must be a user's id") }
        guard fields.has("documents") != fields.has("texts") else {
            throw .invalid("name either documents or texts")
        }
        form = fields.has("texts") ? .texts : .documents
        self.user = user
        items = []
        for document in try fields.array(form == .texts ? "texts" : "documents", GatewayLimits.candidates) ?? [] {
            items.append(try Self.item(of: document))
        }
        let filter = try fields.filter()
        conditions = filter?.conditions ?? []
        let excluded = Set(filter?.exclude ?? [])
        let items = items
        asked = items.indices.filter { !excluded.contains(items[$0]) }
        guard !asked.isEmpty else { throw .invalid("all documents are excluded") }
        top = try fields.integer("top_n", 1...GatewayLimits.candidates.upperBound)
        // Those of the other form mean nothing, and are flags all the same.
        let returnsDocument = try fields.flag("return_documents") ?? false
        let returnsText = try fields.flag("return_text") ?? false
        returnsDocuments = form == .texts ? returnsText : returnsDocument
        let isRaw = try fields.flag("raw_scores") ?? false
        self.isRaw = form == .texts && isRaw
        model = if case .text(let name)? = fields["model"] { name } else { nil }
        deadline = try fields.deadline()
        if let objection = query.objection { throw .invalid(objection) }
    }

    private static func item(of document: JSONValue) throws(Problem) -> String {
        switch document {
        case .text(let text): return try NamedKind.item.identifier(text)
        case .integer(let number): return String(number)
        case .object(let members):
            // Neither is an object itself.
            switch members["id"] ?? members["text"] {
            case .text(let text)?: return try NamedKind.item.identifier(text)
            case .integer(let number)?: return String(number)
            default: throw .invalid("a document that is an object needs an id, or a text that is one")
            }
        default: throw .invalid("a document is an item's id, or an object with an id")
        }
    }

    private var query: ClientRequest.QueryRequest {
        .init(
            user: user, items: asked.map { items[$0] }, top: nil, history: history,
            filter: conditions.isEmpty ? nil : ItemFilter(conditions: conditions))
    }

    var question: ClientRequest { .query(query) }
}

/// The answer, in the form of who asked.
struct RerankAnswer {
    private struct Result: Encodable {
        var index: Int
        var relevanceScore: Double
        var document: Document?
    }

    private struct Document: Encodable {
        var id: String
        var text: String
    }

    private struct Score: Encodable {
        var index: Int
        var score: Double
        var text: String?
    }

    /// Nothing is billed; Jina's clients want to be told so.
    private struct Usage: Encodable {
        var totalTokens = 0
        var promptTokens = 0
    }

    private struct Answer: Encodable {
        var id: String
        var model: String?
        var results: [Result]
        /// Whether every adapter that took part comes from exact training.
        var exact: Bool
        var usage = Usage()
    }

    let request: RerankRequest
    /// To the items that are asked about and that the conditions let through, in their order.
    let reply: QueryReply

    /// Best first; of equals the one that was named first.
    ///
    /// - Throws: `ClientError` (`failed`) where the reply is about other items.
    func json(id: String) throws -> Data {
        let ranked = try answered().sorted { ($1.item.margin, $0.index) < ($0.item.margin, $1.index) }
            .prefix(request.top ?? .max)
        switch request.form {
        case .texts:
            return try ReplyCoding.encode(
                ranked.map { index, item in
                    Score(
                        index: index, score: request.isRaw ? item.margin : item.probability,
                        text: request.returnsDocuments ? item.title : nil)
                })
        case .documents:
            let results = ranked.map { index, item in
                Result(
                    index: index, relevanceScore: item.probability,
                    document: request.returnsDocuments ? Document(id: item.item, text: item.title) : nil)
            }
            return try ReplyCoding.encode(
                Answer(id: id, model: request.model, results: results, exact: reply.exact))
        }
    }

    /// Each answer with its document's position: conditions leave documents out, equal ones together, and keep the order.
    private func answered() throws -> [(index: Int, item: QueryReply.ScoredItem)] {
        var rest = reply.items[...]
        let isWhole = request.conditions.isEmpty
        let answered = request.asked.compactMap { index -> (index: Int, item: QueryReply.ScoredItem)? in
            guard let item = rest.first, isWhole || Self.isSame(item.item, request.items[index]) else { return nil }
            rest = rest.dropFirst()
            return (index, item)
        }
        guard rest.isEmpty, !isWhole || answered.count == request.asked.count else {
            throw ClientError(code: .failed, message: "the coordinator answered about other items than were asked")
        }
        return answered
    }

    /// Earlier releases kept items under the spelling that they came with.
    private static func isSame(_ kept: String, _ asked: String) -> Bool {
        kept == asked || (try? Identifier.canonical(kept)) == asked
    }
}
