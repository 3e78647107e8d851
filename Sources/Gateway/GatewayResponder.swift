import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Finds a request's route, admits it, has it answered and counts it.
struct GatewayResponder: HTTPResponder {
    let table: RouteTable
    let access: AccessControl
    let metrics: Metrics
    let logger: Logger
    var bodies = BodyBudget(limit: GatewayLimits().bodies)

    func respond(to request: Request, context: GatewayContext) async throws -> Response {
        await answer(request, over: context.connection, context.ends)
    }

    /// - Parameters:
    ///   - connection: tells when the client has gone; nil: nobody knows.
    ///   - ends: the connection's; nil: nobody knows.
    func answer(_ request: Request, over connection: ClientConnection?, _ ends: SocketEnds? = nil) async -> Response {
        let start = ContinuousClock.now
        let passage = Passage()
        var (response, route) = await found(request, connection, ends, passage)
        // Neither the framework nor NIO leaves the body away, also not of an error.
        if request.method == .head { response = response.createHeadResponse() }
        let passed = ContinuousClock.now - start
        let seconds = Double(passed.components.seconds) + Double(passed.components.attoseconds) / 1e18
        let key = Metrics.Key(
            method: RouteTable.methods.contains(request.method) ? request.method.rawValue : "other",
            route: route?.path ?? "other", status: response.status.code)
        guard !passage.isFree else {
            metrics.add(key, seconds: seconds)
            return response
        }
        passage.whenOver { [metrics] problem in
            var key = key
            if let problem {
                key.status = problem.status
                metrics.addWithheld()
            }
            metrics.add(key, seconds: seconds)
        }
        // Whoever writes it looks for the last time whether it may go out.
        guard let connection else { return passage.objection().map { Response($0) } ?? response }
        response.headers.passage = connection.expect(passage)
        return response
    }

    private func found(
        _ request: Request, _ connection: ClientConnection?, _ ends: SocketEnds?, _ passage: Passage
    ) async -> (Response, Route?) {
        if let refusal = access.refusal(of: connection, ends) { return (Response(refusal), nil) }
        let (route, parameters): (Route, [String: String])
        switch table.find(request.method, request.uri.path) {
        case .nothing:
            let isNear = table.isKnown(withoutSuperfluousSlashes: request.uri.path)
            let detail = "the gateway has no such path" + (isNear ? "; without a superfluous slash it has" : "")
            return (Response(.notFound(detail)), nil)
        case .otherMethods(let methods):
            return (Response(.method(request.method.rawValue, allowed: methods)), nil)
        case .route(let found, let values): (route, parameters) = (found, values)
        }
        do {
            let identity = try access.admit(request, to: route)
            if route.access != .open { connection?.admit() }
            var call = Call(request: request, parameters: parameters, identity: identity)
            call.asker = identity?.asker ?? ends?.client.key ?? ""
            if let known = route.query { call.query = try Call.query(of: request, known) }
            call.passage = passage
            call.bodies = bodies
            call.isStillAdmitted = { access.isAdmitted(request, to: route) }
            call.isStillThere = { connection?.isClosed != true }
            return (try await handle(call, route, connection), route)
        } catch {
            let problem = Problem(error)
            if problem.status == 500 { logger.error("\(route.path): \(error)") }
            return (Response(problem), route)
        }
    }

    private func handle(_ call: Call, _ route: Route, _ connection: ClientConnection?) async throws -> Response {
        // What changes something is not to be left half told because somebody hung up.
        guard route.endsWithConnection else { return try await Task { try await route.handle(call) }.value }
        guard let connection else { return try await route.handle(call) }
        let work = Task { try await route.handle(call) }
        let number = connection.whenClosed { work.cancel() }
        defer { connection.forget(number) }
        return try await withTaskCancellationHandler {
            try await work.value
        } onCancel: {
            work.cancel()
        }
    }
}

extension RouteTable {
    /// Those that metrics name.
    static let methods: Set<HTTPRequest.Method> = [.get, .head, .post, .put, .patch, .delete, .options]
}

/// What is known of a request beside itself.
struct GatewayContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let connection: ClientConnection?
    let ends: SocketEnds?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        connection = ClientConnection.of(source.channel)
        ends = SocketEnds(source.channel)
    }
}
