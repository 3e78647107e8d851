import Foundation
import Messages

/// `POST /rerank` and `/v1/rerank`, as clients of Cohere, Jina and Text Embeddings Inference (TEI) ask.
///
/// `query` is a user's id; instead of it a `history` may be given, of somebody who need not be in the ledger. `documents` (Cohere,
/// Jina) or `texts` (TEI) are items' ids: text, a number, or an object whose `id`, or else whose `text`, is one; those in `exclude`
/// are not among the results. `top_n` bounds the results, `return_documents` or `return_text` repeats the documents, `raw_scores`
/// (TEI) gives margins instead of probabilities. Other members are left: `model` means nothing here.
struct RerankRequest: Hashable, Sendable {
    enum Form: Hashable, Sendable { case documents, texts }

    var form: Form
    /// Empty: a history was given.
    var user: String
    var history: [GivenRating]?
    /// Ids of the documents, in their order.
    var items: [String]
    /// Positions of those that are asked about.
    var asked: [Int]
    /// As they were sent.
    var documents: [JSONValue]
    var top: Int?
    var returnsDocuments: Bool
    var isRaw: Bool

    /// - Throws: `Problem` 422, or 404 for names that are nobody's.
    init(_ value: JSONValue) throws(Problem) {
        let fields = try JSONFields(value, known: nil)
        history = try fields.history()
        // Clients of some services send a query in any case.
        let user = history != nil && fields["query"] == .text("") ? "" : try fields.identifier("query", of: .user)
        guard let user = user ?? history.map({ _ in "" }) else { throw .invalid("query must be a user's id") }
        guard fields.has("documents") != fields.has("texts") else {
            throw .invalid("name either documents or texts")
        }
        form = fields.has("texts") ? .texts : .documents
        self.user = user
        documents = try fields.array(form == .texts ? "texts" : "documents", GatewayLimits.candidates) ?? []
        items = []
        for document in documents { items.append(try Self.item(of: document)) }
        let excluded = Set(try fields.identifiers("exclude", of: .item, GatewayLimits.candidates) ?? [])
        let items = items
        asked = items.indices.filter { !excluded.contains(items[$0]) }
        guard !asked.isEmpty else { throw .invalid("all documents are excluded") }
        top = try fields.integer("top_n", 1...GatewayLimits.candidates.upperBound)
        returnsDocuments = try fields.flag(form == .texts ? "return_text" : "return_documents") ?? false
        let isRaw = try fields.flag("raw_scores") ?? false
        self.isRaw = form == .texts && isRaw
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
        .init(user: user, items: asked.map { items[$0] }, top: nil, history: history)
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

    private struct Answer: Encodable {
        var id: String
        var results: [Result]
        /// Whether every adapter that took part comes from exact training.
        var exact: Bool
    }

    let request: RerankRequest
    /// To all items that are asked about, in their order.
    let reply: QueryReply

    /// Best first; of equals the one that was named first.
    func json(id: String) throws -> Data {
        let ranked = zip(request.asked, reply.items).sorted { ($1.1.margin, $0.0) < ($0.1.margin, $1.0) }
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
            return try ReplyCoding.encode(Answer(id: id, results: results, exact: reply.exact))
        }
    }
}
