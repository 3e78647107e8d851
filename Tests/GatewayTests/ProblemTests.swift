import Foundation
import Messages
import Testing

@testable import Gateway

@Suite("What a coordinator refuses, over HTTP")
struct ProblemTests {
    @Test(
        "Every code has its status, keeps its name and tells what the coordinator said",
        arguments: [
            (ErrorCode.unknownUser, 404), (.unknownItem, 404), (.unknownRequest, 404), (.invalidRequest, 422),
            (.tooLarge, 422), (.notTrained, 409), (.noCleanAdapter, 409), (.requestConflict, 409),
            (.methodNotAvailable, 409), (.busy, 429), (.unreachable, 503), (.superseded, 503), (.cancelled, 503),
            (.diskFull, 507), (.notAllowed, 403), (.keyRefused, 503),
            (.failed, 502), (ErrorCode(rawValue: "of-a-later-release"), 502),
        ])
    func codes(code: ErrorCode, status: Int) async throws {
        let coordinator = FakeCoordinator { _, _ in .failure(ClientError(code: code, message: "the reason")) }
        let answer = try await TestGateway(coordinator).ask(.post, "/v1/rank", #"{"user":"ada"}"#)
        #expect(answer.status == status)
        #expect(answer.problem == code.rawValue)
        #expect(answer.json["detail"] as? String == "the reason" && answer.json["status"] as? Int == status)
        #expect((answer.headers[.retryAfter] != nil) == [429, 503].contains(status))
    }

    @Test("Whoever is to come back is told when, in the body too: an answer inside of another has no header")
    func inside() async throws {
        let coordinator = FakeCoordinator { _, _ in .failure(ClientError(code: .busy, message: "later")) }
        let gateway = try TestGateway(coordinator)
        let alone = try await gateway.ask(.post, "/v1/rank", #"{"user":"ada"}"#)
        #expect(alone.headers[.retryAfter] == "1" && alone.json["retry_after"] as? Int == 1)
        let several = try await gateway.ask(.post, "/v1/rank", #"{"users":["ada","ben"]}"#)
        let problems = (several.json["answers"] as? [[String: Any]] ?? []).map { $0["problem"] as? [String: Any] }
        #expect(problems.map { $0?["retry_after"] as? Int } == [1, 1])
        let unknown = try await TestGateway().ask(.post, "/v1/rank", #"{"user":"eve"}"#)
        #expect(unknown.headers[.retryAfter] == nil && unknown.json["retry_after"] == nil)
        for problem in [Problem.queueFull, .draining] {
            #expect([429, 503].contains(problem.status) && problem.retryAfter != nil)
        }
    }

    @Test("A passed deadline, a full queue and a failure of the gateway's own are told apart")
    func own() async throws {
        struct Surprise: Error {}
        for (error, status) in [(Problem.deadline as any Error, 504), (Problem.queueFull, 429), (Surprise(), 500)] {
            let coordinator = FakeCoordinator { _, _ in throw error }
            let answer = try await TestGateway(coordinator).ask(.post, "/v1/rank", #"{"user":"ada"}"#)
            #expect(answer.status == status)
            #expect(!String(decoding: answer.body, as: UTF8.self).contains("Surprise"))
        }
    }

    @Test("An unknown path is 404, an unknown method 405 with those that are known; HEAD is GET without a body")
    func paths() async throws {
        let gateway = try TestGateway()
        for path in ["/v1/nothing", "/v1/rank/", "//", "/v1/requests/", "/v1/requests/a/b", "/V1/rank"] {
            #expect(try await gateway.ask(.get, path).problem == "not-found")
        }
        let answer = try await gateway.ask(.delete, "/v1/rank")
        #expect(answer.status == 405 && answer.headers[.allow] == "POST")
        #expect(answer.json["detail"] as? String == "DELETE is not known here; POST is")
        let other = try await gateway.ask(.delete, "/v1/status")
        #expect(other.json["detail"] as? String == "DELETE is not known here; GET, HEAD are")
        #expect(try await gateway.ask(.post, "/v1/status").headers[.allow] == "GET, HEAD")
        let head = try await gateway.ask(.head, "/v1/status")
        #expect(head.status == 200 && head.body.isEmpty)
        for (path, status) in [("/v1/nothing", 404), ("/v1/rank", 405)] {
            let refused = try await gateway.ask(.head, path)
            #expect(refused.status == status && refused.body.isEmpty)
        }
    }
}
