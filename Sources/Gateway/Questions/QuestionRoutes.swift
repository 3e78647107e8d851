import Foundation
import Hummingbird
import Messages

/// Questions go to whoever may answer them, the coordinator or `OwnAnswers`: no answer is kept.
struct QuestionRoutes {
    let door: CoordinatorDoor
    let limits: GatewayLimits

    var routes: [Route] {
        let access = Route.Access.roles([.query])
        return [
            Route(method: .post, path: "/v1/rank", access: access, handle: rank),
            Route(method: .post, path: "/v1/score", access: access, handle: score),
        ] + RerankRequest.paths.map { Route(method: .post, path: $0, access: access, handle: rerank) }
    }

    @Sendable private func rank(_ call: Call) async throws -> Response {
        let request = try RankRequest(await call.json(limit: limits.body))
        return try await answer(request.questions, request.deadline, of: call) { answers in
            request.isOfOne ? try Self.only(answers) : try Self.body(answers, of: request.users)
        }
    }

    @Sendable private func score(_ call: Call) async throws -> Response {
        let request = try ScoreRequest(await call.json(limit: limits.body))
        return try await answer([request.question], request.deadline, of: call, Self.only)
    }

    @Sendable private func rerank(_ call: Call) async throws -> Response {
        let request = try RerankRequest(await call.json(limit: limits.body))
        return try await answer([request.question], request.deadline, of: call) { answers in
            let reply = try ReplyCoding.decode(QueryReply.self, from: Self.only(answers))
            return try RerankAnswer(request: request, reply: reply).json(id: UUID().uuidString.lowercased())
        }
    }

    /// The body is made before it is looked for the last time whether it may go out (`Passage`).
    private func answer(
        _ questions: [ClientRequest], _ deadline: Duration?, of call: Call,
        _ body: @escaping @Sendable (CoordinatorDoor.Answers) throws -> Data
    ) async throws -> Response {
        var asking = CoordinatorDoor.Asking(questions, deadline: deadline ?? limits.deadline)
        asking.asker = call.asker
        asking.body = body
        asking.passage = call.passage
        return .json(try Self.only(try await door.askQuestions(asking)))
    }

    @Sendable private static func only(_ answers: CoordinatorDoor.Answers) throws -> Data {
        guard let answer = answers.first else {
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
