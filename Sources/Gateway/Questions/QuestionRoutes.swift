import Foundation
import Hummingbird
import Messages

/// Questions go to the coordinator, which alone knows what was forgotten: no answer is made or kept here.
struct QuestionRoutes {
    let door: CoordinatorDoor
    let limits: GatewayLimits

    var routes: [Route] {
        let access = Route.Access.roles([.query])
        return [
            Route(method: .post, path: "/v1/rank", access: access, handle: rank),
            Route(method: .post, path: "/v1/score", access: access, handle: score),
            Route(method: .post, path: "/rerank", access: access, handle: rerank),
            Route(method: .post, path: "/v1/rerank", access: access, handle: rerank),
        ]
    }

    @Sendable private func rank(_ call: Call) async throws -> Response {
        let request = try RankRequest(await call.json(limit: limits.body))
        let answers = try await ask(request.questions, request.deadline)
        if request.isOfOne, let answer = answers.first { return .json(try answer.get()) }
        return .json(try Self.body(answers, of: request.users))
    }

    @Sendable private func score(_ call: Call) async throws -> Response {
        let request = try ScoreRequest(await call.json(limit: limits.body))
        return .json(try await ask(request.question, request.deadline))
    }

    @Sendable private func rerank(_ call: Call) async throws -> Response {
        let request = try RerankRequest(await call.json(limit: limits.body))
        let body = try await ask(request.question, nil)
        let answer = RerankAnswer(request: request, reply: try ReplyCoding.decode(QueryReply.self, from: body))
        return .json(try answer.json(id: UUID().uuidString.lowercased()))
    }

    private func ask(_ questions: [ClientRequest], _ deadline: Duration?) async throws -> CoordinatorDoor.Answers {
        try await door.askQuestions(.init(questions, deadline: deadline ?? limits.deadline))
    }

    private func ask(_ question: ClientRequest, _ deadline: Duration?) async throws -> Data {
        guard let answer = try await ask([question], deadline).first else {
            throw ClientError(code: .failed, message: "the coordinator gave no answer")
        }
        return try answer.get()
    }

    /// One answer a user, in the order asked; who is unknown keeps nobody from an answer.
    static func body(_ answers: CoordinatorDoor.Answers, of users: [String]) throws -> Data {
        var json = Data(#"{"answers":["#.utf8)
        for (position, answer) in zip(users, answers).enumerated() {
            if position > 0 { json.append(UInt8(ascii: ",")) }
            json += Data(#"{"user":"#.utf8) + (try ReplyCoding.encode(answer.0))
            switch answer.1 {
            case .success(let reply): json += Data(#","reply":"#.utf8) + reply
            case .failure(let error): json += Data(#","problem":"#.utf8) + Problem(error).json
            }
            json.append(UInt8(ascii: "}"))
        }
        return json + Data("]}".utf8)
    }
}
