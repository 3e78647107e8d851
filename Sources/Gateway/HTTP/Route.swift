import HTTPTypes
import Hummingbird

/// A path that the gateway knows, who may ask for it and what answers.
struct Route: Sendable {
    enum Access: Hashable, Sendable {
        /// Anybody: probes, and what says nothing of the cluster.
        case open
        /// Whoever has one of these roles; `admin` has all.
        case roles([Role])

        static let any = Access.roles(Role.allCases)
    }

    var method: HTTPRequest.Method
    /// As OpenAPI writes it: `/v1/requests/{id}`.
    var path: String
    var access: Access
    /// Parameters that it knows in a query; nil: whatever is there means nothing and is left, for probes and pages.
    var query: Set<String>? = []
    /// Whether a closed connection ends it: what changes something goes on.
    var endsWithConnection = true
    var handle: @Sendable (Call) async throws -> Response
}

/// All routes, found by path and method.
struct RouteTable: Sendable {
    enum Found {
        case route(Route, parameters: [String: String])
        case otherMethods([String])
        case nothing
    }

    let routes: [Route]

    /// - Parameter path: as it came, without the query.
    func find(_ method: HTTPRequest.Method, _ path: String) -> Found {
        let segments = path.split(separator: "/", omittingEmptySubsequences: false)
        var others: [String] = []
        for route in routes {
            guard let parameters = Self.match(route.path, segments) else { continue }
            // What can be got can be asked about.
            if route.method == method || (method == .head && route.method == .get) {
                return .route(route, parameters: parameters)
            }
            others.append(route.method.rawValue)
            if route.method == .get { others.append("HEAD") }
        }
        return others.isEmpty ? .nothing : .otherMethods(others)
    }

    /// Of a path that is none: clients put addresses together from parts.
    func isKnown(withoutSuperfluousSlashes path: String) -> Bool {
        let plain = "/" + path.split(separator: "/").joined(separator: "/")
        guard plain != path else { return false }
        let segments = plain.split(separator: "/", omittingEmptySubsequences: false)
        return routes.contains { Self.match($0.path, segments) != nil }
    }

    private static func match(_ pattern: String, _ segments: [Substring]) -> [String: String]? {
        let wanted = pattern.split(separator: "/", omittingEmptySubsequences: false)
        guard wanted.count == segments.count else { return nil }
        var parameters: [String: String] = [:]
        for (wanted, segment) in zip(wanted, segments) {
            if wanted.hasPrefix("{"), wanted.hasSuffix("}") {
                guard let text = segment.removingPercentEncoding, !text.isEmpty else { return nil }
                parameters[String(wanted.dropFirst().dropLast())] = text
            } else if wanted != segment {
                return nil
            }
        }
        return parameters
    }
}
