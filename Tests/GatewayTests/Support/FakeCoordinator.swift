import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Messages
import NIOCore
import ZeroMQ

@testable import Gateway

/// Stands in a coordinator's place: a function from requests to replies, and what it was asked.
final class FakeCoordinator: Sendable {
    typealias Reply = @Sendable (ClientRequest, String?) async throws -> Result<Data, ClientError>

    let asked = Locked<[(request: ClientRequest, id: String?)]>([])
    /// Of each asking, whose it was.
    let askers = Locked<[String]>([])
    private let reply: Reply
    private let check: Passage.Check?

    /// - Parameters:
    ///   - reply: to each request.
    ///   - check: what answers to questions have to pass when they go out.
    init(_ reply: @escaping Reply = { try FakeReplies.any($0, $1) }, check: Passage.Check? = nil) {
        self.check = check
        self.reply = reply
    }

    var requests: [ClientRequest] { asked.withLock { $0 }.map(\.request) }

    var door: CoordinatorDoor {
        let answer: @Sendable (CoordinatorDoor.Asking) async throws -> CoordinatorDoor.Answers = { [self] asking in
            askers.withLock { $0.append(asking.asker) }
            var answers: CoordinatorDoor.Answers = []
            for request in asking.requests {
                asked.withLock { $0.append((request, asking.id)) }
                answers.append(try await reply(request, asking.id))
            }
            return answers
        }
        return CoordinatorDoor(
            askQuestions: { [check] asking in
                let answers = try asking.prepared(try await answer(asking))
                if let check { asking.passage.require(check) }
                return answers
            }, askOther: answer)
    }
}

/// The gateway's inside without sockets.
struct TestGateway {
    let responder: GatewayResponder
    let draining = Draining()
    let metrics = Metrics()

    /// - `tokens`: a token file's text; nil: nobody needs one.
    /// - `through`: what leads to a coordinator; nil: to the one that stands in its place.
    init(
        _ coordinator: FakeCoordinator = FakeCoordinator(), tokens: String? = nil, through: CoordinatorDoor? = nil,
        limits: GatewayLimits = GatewayLimits(), door: LoopbackDoor.Rule = .everybody,
        now: @escaping @Sendable () -> Date = { Date() }
    ) throws {
        var options = GatewayOptions(listen: try ListenAddress(parsing: "http://127.0.0.1:0"))
        options.limits = limits
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        var path: String?
        if let tokens {
            let file = FileManager.default.temporaryDirectory.appendingPathComponent("tokens-\(UUID().uuidString)")
            try Data(tokens.utf8).write(to: file)
            path = file.path
        }
        responder = GatewayResponder(
            table: RouteTable(
                door: through ?? coordinator.door, metrics: metrics, draining: draining, options: options, now: now),
            access: try AccessControl(path: path, door: door, logger: logger), metrics: metrics, logger: logger,
            bodies: BodyBudget(limit: limits.bodies))
        if let path { try FileManager.default.removeItem(atPath: path) }
    }

    struct Answer {
        var status: Int
        var headers: HTTPFields
        var body: Data

        var json: [String: Any] { (try? JSONSerialization.jsonObject(with: body) as? [String: Any]) ?? [:] }
        var problem: String? { (json["type"] as? String)?.replacing("urn:lethe:problem:", with: "") }
    }

    private static func request(
        _ method: HTTPRequest.Method, _ path: String, bytes: [UInt8]?, headers: [String: String] = [:],
        host: String = "localhost"
    ) -> Request {
        var head = HTTPRequest(method: method, scheme: "http", authority: host, path: path)
        if bytes != nil { head.headerFields[.contentType] = "application/json" }
        for (name, value) in headers { if let name = HTTPField.Name(name) { head.headerFields[name] = value } }
        return Request(head: head, body: RequestBody(buffer: ByteBuffer(bytes: bytes ?? [])))
    }

    /// What a route's handler gets of a body of JSON.
    static func call(_ method: HTTPRequest.Method, _ path: String, _ body: String) -> Call {
        Call(request: request(method, path, bytes: Array(body.utf8)))
    }

    /// - Parameter body: JSON, unless the headers say otherwise.
    func ask(
        _ method: HTTPRequest.Method, _ path: String, _ body: String? = nil, headers: [String: String] = [:],
        host: String = "localhost"
    ) async throws -> Answer {
        try await ask(method, path, bytes: body.map { Array($0.utf8) }, headers: headers, host: host)
    }

    func ask(
        _ method: HTTPRequest.Method, _ path: String, bytes: [UInt8]?, headers: [String: String] = [:],
        host: String = "localhost", over connection: ClientConnection? = nil, ends: SocketEnds? = nil
    ) async throws -> Answer {
        let request = Self.request(method, path, bytes: bytes, headers: headers, host: host)
        let response = await responder.answer(request, over: connection, ends)
        let collected = Locked(Data())
        try await response.body.write(CollectingWriter(collected: collected))
        return Answer(status: response.status.code, headers: response.headers, body: collected.withLock { $0 })
    }
}

private struct CollectingWriter: ResponseBodyWriter {
    let collected: Locked<Data>

    mutating func write(_ buffer: ByteBuffer) async throws {
        collected.withLock { $0 += Data(buffer.readableBytesView) }
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
