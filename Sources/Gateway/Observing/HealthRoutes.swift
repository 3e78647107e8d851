import Foundation
import Hummingbird
import Messages

/// For probes: whether the process lives, and whether it should get requests.
struct HealthRoutes {
    let view: ClusterView
    let draining: Draining
    /// Of a gateway that answers itself.
    var answering: (@Sendable () -> (hasLease: Bool, questions: QuestionCounts))?

    var routes: [Route] {
        [
            Route(method: .get, path: "/healthz", access: .open, query: nil) { _ in Self.text("ok") },
            Route(method: .get, path: "/readyz", access: .open, query: nil) { _ in
                try await requireReady()
                return Self.text("ok")
            },
            // Of the Open Inference Protocol.
            Route(method: .get, path: "/v2/health/live", access: .open, query: nil) { _ in
                .json(Data(#"{"live":true}"#.utf8))
            },
            Route(method: .get, path: "/v2/health/ready", access: .open, query: nil) { _ in
                try await requireReady()
                return .json(Data(#"{"ready":true}"#.utf8))
            },
        ]
    }

    /// - Throws: `Problem` 503: the gateway is being stopped, no coordinator answers it, or it may not answer.
    private func requireReady() async throws {
        if draining.isOn { throw Problem.draining }
        _ = try await view.seen()
        if let answering, !answering().hasLease { throw Problem.noLease }
    }

    private static func text(_ text: String) -> Response { Response(.ok, "text/plain", Data((text + "\n").utf8)) }
}
