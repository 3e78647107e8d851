import Foundation
import Messages
import Recommendation

/// What a coordinator of two users, "ada" and "ben", and items "i0" to "i9" would answer.
enum FakeReplies {
    static let received = "2026-01-02T03:04:05.000Z"

    static func any(_ request: ClientRequest, _ id: String?) throws -> Result<Data, ClientError> {
        switch request {
        case .query(let query):
            guard query.history != nil || ["ada", "ben"].contains(query.user) else {
                return .failure(ClientError(code: .unknownUser, message: "no user \(query.user)"))
            }
            return .success(try ReplyCoding.encode(answer(query)))
        case .forget(let forget):
            if forget.dryRun {
                let plan = ForgetPlan(
                    counts: ForgetCounts(users: 1), shards: [], tokens: nil, seconds: nil, alreadyForgotten: 0)
                return .success(try ReplyCoding.encode(plan))
            }
            return .success(try ReplyCoding.encode(ForgetReply(outcome: outcome(id ?? "none"))))
        case .requests(let wanted):
            if let named = wanted.named, named == "unknown" {
                return .success(try ReplyCoding.encode(RequestsReply(requests: [])))
            }
            let listed = RequestsReply.Request(
                number: 1, request: wanted.named ?? "first", state: .pending, method: "apa", received: received)
            return .success(try ReplyCoding.encode(RequestsReply(requests: wanted.after > 0 ? [] : [listed])))
        case .operation(let id):
            let report = OperationReport(id: id, kind: "forget", state: .running, progress: "training", fraction: 0.5)
            return .success(try ReplyCoding.encode(OperationReply<ForgetReply>(report: report, result: nil)))
        case .status: return .success(Data(status.utf8))
        case .adapters: return .success(Data(#"{"adapters":[],"model":{}}"#.utf8))
        case .audit:
            return .success(
                Data(
                    #"{"entries":[{"sequence":9,"time":"2026-01-02T03:04:05.000Z","kind":"import","detail":"{}","previous":"00","hash":"0f"}]}"#
                        .utf8))
        case .configuration:
            return .success(
                try ReplyCoding.encode(
                    ConfigurationReply(
                        effective: CoordinatorConfiguration(), recorded: CoordinatorConfiguration(), cluster: "c1")))
        case .importRows, .dropImport: return .success(Data("{}".utf8))
        case .finishImport:
            let reply = ImportReply(outcome: ImportOutcome(rowsNew: 3), prompts: SplitCounts(train: 2))
            return .success(try ReplyCoding.encode(reply))
        default: return .failure(ClientError(code: .failed, message: "not of this test"))
        }
    }

    static func answer(_ query: ClientRequest.QueryRequest) -> QueryReply {
        let items = query.items.isEmpty ? (0..<10).map { "i\($0)" } : query.items
        let scored = items.map { item in
            let margin = Double(item.utf8.reduce(0) { $0 + Int($1) } % 7) - 3
            return QueryReply.ScoredItem(
                item: item, title: "Film \(item)", probability: 1 / (1 + exp(-margin)), margin: margin)
        }
        return QueryReply(
            user: query.user, items: Array(scored.prefix(query.top ?? .max)),
            adapters: [.init(shard: 0, name: "ab", weight: 1)], absentShards: [], rule: .nonDecomposed,
            attention: "history", exact: true, seconds: 0.1,
            retrieval: query.candidates == 50
                ? Retrieval(candidates: 50, of: 90, likedTogether: 20, popular: 25, others: 5) : nil)
    }

    static func outcome(_ id: String) -> ForgetOutcome {
        ForgetOutcome(
            request: id, received: Date(timeIntervalSince1970: 0), counts: ForgetCounts(users: 1, interactions: 3),
            shards: [0], waitingFor: [0], droppedAdapters: ["ab"], alreadyForgotten: 0)
    }

    static let status = """
        {"cluster":"c1","base":"b","precision":"f32","activity":"up to date","workers":[],"shards":[\
        {"shard":0,"state":"current","prompts":4,"manifest":"m","adapter":"ab","method":"apa","exact":true,\
        "prepared":false,"held":true},\
        {"shard":1,"state":"quarantined","prompts":4,"manifest":"m","prepared":false,"held":true,\
        "quarantined_since":5,"training_seconds":12.5}],"operations":[],\
        "pending_forgets":[{"request":"first","method":"apa","waiting_for":[1],\
        "unconfirmed":[{"worker":"w","name":"n","shard":1,"manifest":"m"}],"waits":["shard 1 to be retrained"]}],\
        "pending_forgets_total":1,"disputes":[],"stuck":[],"tuned":true,"data":{"train_prompts":8,\
        "validation_prompts":1,"test_prompts":1,"missing_embeddings":0,"missing_margins":0},"statistics":{"users":2,\
        "items":10,"interactions":20,"tombstones":0,"forget_requests":1,"audit_entries":9},\
        "attention":{"tau":1,"neighbours":5},"certificate_key":"AA==","questions":{"waiting":3,"computing":1,\
        "answered":7}}
        """
}
