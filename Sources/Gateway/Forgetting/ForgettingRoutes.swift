import Foundation
import HTTPTypes
import Hummingbird
import Messages

/// Forget requests, from their acceptance to their certificate.
struct ForgettingRoutes {
    let door: CoordinatorDoor
    let limits: GatewayLimits
    let dueDays: Int
    let now: @Sendable () -> Date

    var routes: [Route] {
        let reading = Route.Access.roles([.forget, .audit])
        return [
            Route(
                method: .post, path: "/v1/forget", access: .roles([.forget]), endsWithConnection: false, handle: forget),
            Route(
                method: .get, path: "/v1/requests", access: reading, query: ["after", "limit", "state"], handle: list),
            Route(method: .get, path: "/v1/requests/{id}", access: reading, handle: one),
            Route(method: .get, path: "/v1/certificates/{id}", access: reading, handle: certificate),
        ]
    }

    private struct Accepted: Encodable {
        /// nil: it was accepted, but could not be looked up any more.
        var request: DueRequest?
        var outcome: ForgetOutcome
    }

    private struct Page: Encodable {
        var requests: [DueRequest]
        /// What to give as `after` for the next page; nil: there is none now.
        var next: Int?
    }

    private struct Single: Encodable {
        var request: DueRequest
        /// What is done for it, one line for people; nil: it is finished.
        var progress: String?
        /// Of 1.
        var fraction: Double?
        var certificate: Certificate?
        var unconfirmed: [UnconfirmedCopy]?
        var supplements: [Supplement]?
    }

    @Sendable private func forget(_ call: Call) async throws -> Response {
        let body = try ForgetBody(await call.json(limit: limits.body))
        let id = try Self.key(of: call) ?? UUID().uuidString.lowercased()
        var headers: HTTPFields = [:]
        headers[.location] = Self.place(of: id)
        let reply: Data
        do {
            reply = try await door.ask(
                .forget(body.request), id: id, by: call.asker, on: body.request.dryRun ? .others : .forgets,
                deadline: .seconds(120), patience: .seconds(60))
        } catch {
            // It may have been accepted all the same: this is where it is then.
            var problem = Problem(error)
            problem.location = body.request.dryRun ? nil : headers[.location]
            throw problem
        }
        if body.request.dryRun { return .json(reply) }
        let accepted = try ReplyCoding.decode(ForgetReply.self, from: reply)
        let outcome = accepted.outcome
        // The acknowledgement stands, whether it can be looked up or not.
        let found = try? await record(outcome.request, by: call.asker)
        let view = try found.map { try DueRequest($0, dueDays: dueDays, now: now()) }
        headers[.location] = Self.place(of: outcome.request)
        return .json(
            try ReplyCoding.show(Accepted(request: view, outcome: outcome)),
            status: accepted.certificate == nil ? .accepted : .ok, headers)
    }

    @Sendable private func list(_ call: Call) async throws -> Response {
        let query = call.query
        let limit = try query.integer("limit", GatewayLimits.page) ?? 100
        let state = try query.choice("state", of: ["pending", "all"])
        let reply = try await door.ask(
            .requests(
                .init(
                    after: try query.integer("after", WireLimits.entries) ?? 0, limit: limit,
                    pendingOnly: state == "pending")), by: call.asker)
        let found = try ReplyCoding.decode(RequestsReply.self, from: reply).requests
        let page = Page(
            requests: try found.map { try DueRequest($0, dueDays: dueDays, now: now()) },
            next: found.count == limit ? found.last?.number : nil)
        return .json(try ReplyCoding.show(page))
    }

    @Sendable private func one(_ call: Call) async throws -> Response {
        let record = try await record(try Self.id(of: call), by: call.asker)
        let body = try await door.ask(.operation(id: record.request), by: call.asker)
        let operation = try ReplyCoding.decode(OperationReply<ForgetReply>.self, from: body)
        let isRunning = operation.report.state == .running
        let single = Single(
            request: try DueRequest(record, dueDays: dueDays, now: now()),
            progress: isRunning ? operation.report.progress : nil,
            fraction: isRunning ? operation.report.fraction : nil, certificate: operation.result?.certificate,
            unconfirmed: operation.result?.unconfirmed, supplements: operation.result?.supplements)
        return .json(try ReplyCoding.show(single))
    }

    /// The statement as it was signed: JWS in compact form, byte for byte.
    @Sendable private func certificate(_ call: Call) async throws -> Response {
        let record = try await record(try Self.id(of: call), by: call.asker)
        let body = try await door.ask(.operation(id: record.request), by: call.asker)
        let operation = try ReplyCoding.decode(OperationReply<ForgetReply>.self, from: body)
        guard let certificate = operation.result?.certificate else {
            throw Problem(
                status: 409, name: "request-pending", title: "The cluster cannot do this as it is now",
                detail: "the request is not finished; it is certified then")
        }
        return Response(.ok, "application/jose", Data(certificate.jws.compact.utf8))
    }

    /// - Throws: `Problem` 404.
    private func record(_ id: String, by asker: String) async throws -> RequestsReply.Request {
        let reply = try await door.ask(.requests(.init(after: 0, limit: 1, named: id)), by: asker)
        guard let record = try ReplyCoding.decode(RequestsReply.self, from: reply).requests.first else {
            throw Problem.notFound("no forget request has this id", name: ErrorCode.unknownRequest.rawValue)
        }
        return record
    }

    private static func place(of request: String) -> String? {
        request.addingPercentEncoding(withAllowedCharacters: .alphanumerics).map { "/v1/requests/\($0)" }
    }

    private static func id(of call: Call) throws(Problem) -> String {
        let id = call.parameters["id"] ?? ""
        guard ClientName.objection(to: id, of: "a request") == nil else {
            throw .notFound("no forget request has this id", name: ErrorCode.unknownRequest.rawValue)
        }
        return id
    }

    /// In a header only visible ASCII is the same to everybody on its way.
    static func key(of call: Call) throws(Problem) -> String? {
        guard let key = call.header("Idempotency-Key") else { return nil }
        guard ClientName.lengths.contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .malformed(
                "Idempotency-Key must be 1 to \(ClientName.lengths.upperBound) visible characters of ASCII, no blanks")
        }
        return key
    }
}
