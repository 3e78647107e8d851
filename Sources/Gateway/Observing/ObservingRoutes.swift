import Foundation
import HTTPTypes
import Hummingbird
import Messages
import ZeroMQ

/// What the cluster and the gateway say of themselves.
struct ObservingRoutes {
    let door: CoordinatorDoor
    let view: ClusterView
    let metrics: Metrics
    let draining: Draining
    let dueDays: Int
    let views: Slots
    /// Of a gateway that answers itself.
    var answering: (@Sendable () -> (hasLease: Bool, questions: QuestionCounts))?
    let now: @Sendable () -> Date

    var routes: [Route] {
        [
            Route(method: .get, path: "/v1/status", access: .any) { call in
                .json(try Overview.status(try await view.seen(), for: call.identity))
            },
            Route(method: .get, path: "/v1/adapters", access: .any) { call in
                .json(try await door.ask(.adapters, by: call.asker))
            },
            Route(method: .get, path: "/v1/overview", access: .any) { call in
                let seen = try await view.seen()
                let evidence = try Overview.Evidence(seen, for: call.identity, dueDays: dueDays, now: now())
                return .json(try Overview.json(seen, evidence, for: call.identity))
            },
            Route(method: .get, path: "/v1/events", access: .any, handle: events),
            Route(method: .get, path: "/metrics", access: .any, query: nil, handle: measured),
        ]
    }

    /// The gateway's own numbers are there whatever the coordinator does.
    @Sendable private func measured(_ call: Call) async throws -> Response {
        var text = PrometheusText()
        text.add(metrics.now)
        let waiting = door.waiting()
        text.gauge(
            "lethe_gateway_questions_waiting",
            "Questions that wait here, for a connection to the coordinator or to be begun.",
            Double(waiting.questions + (answering?().questions.waiting ?? 0)))
        text.gauge(
            "lethe_gateway_others_waiting", "Other requests that wait for a connection to the coordinator.",
            Double(waiting.others))
        if let answering {
            let (hasLease, questions) = answering()
            text.gauge(
                "lethe_gateway_lease", "1: the coordinator lets this gateway answer; 0: it does not.", hasLease ? 1 : 0)
            text.gauge(
                "lethe_gateway_own_questions_waiting", "Questions that this gateway has not begun.",
                Double(questions.waiting))
            text.gauge(
                "lethe_gateway_own_questions_computing", "Questions that this gateway computes.",
                Double(questions.computing))
            text.family("lethe_gateway_own_questions_answered_total", "counter", "Since the gateway was started.")
            text.sample("lethe_gateway_own_questions_answered_total", [], Double(questions.answered))
            text.counter(
                "lethe_gateway_own_prompt_tokens_total",
                "Tokens of the prompts that this gateway computed for questions since it was started.",
                Double(questions.promptTokens ?? 0))
        }
        let seen = try? await view.seen()
        text.gauge(
            "lethe_coordinator_reachable", "1: the coordinator answered within the last second or so; 0: it did not.",
            seen == nil ? 0 : 1)
        if let seen { text.add(seen, dueDays: dueDays, now: now()) }
        return Response(.ok, PrometheusText.mediaType, Data(text.text.utf8))
    }

    /// Server-sent events: an overview whenever it is another one, and a sign of life in between.
    @Sendable private func events(_ call: Call) async throws -> Response {
        guard views.take(for: call.asker) else { throw Problem.queueFull }
        let place = ViewPlace(views, call.asker)
        let body = ResponseBody { writer in
            defer { place.leave() }
            var last: Sight?
            var silent = 0
            while !draining.isOn, call.isStillAdmitted(), call.isStillThere() {
                let (sight, event) = await Self.event(view, call.identity, dueDays, now())
                if sight != last {
                    try await writer.write(ByteBuffer(bytes: event))
                    (last, silent) = (sight, 0)
                } else if silent >= Self.silence {
                    try await writer.write(ByteBuffer(string: ": still here\n\n"))
                    silent = 0
                }
                silent += 1
                try await Task.sleep(for: ClusterView.age)
            }
            try await writer.finish(nil)
        }
        var response = Response(status: .ok, body: body)
        response.headers[.contentType] = "text/event-stream"
        // A proxy that gathers before it passes on (nginx) would keep the events back.
        if let name = HTTPField.Name("X-Accel-Buffering") { response.headers[name] = "no" }
        response.headers[.cacheControl] = "no-store"
        response.headers[.xContentTypeOptions] = "nosniff"
        return response
    }

    /// Seconds after which a proxy may think that a silent stream is dead.
    private static let silence = 10

    /// What tells one event from the next.
    enum Sight: Equatable {
        case overview(StatusReply, Overview.Evidence)
        case problem(Data)
    }

    static func event(
        _ view: ClusterView, _ identity: Identity?, _ dueDays: Int, _ now: Date
    ) async -> (sight: Sight, bytes: Data) {
        do {
            let seen = try await view.seen()
            let evidence = try Overview.Evidence(seen, for: identity, dueDays: dueDays, now: now)
            let json = try Overview.json(seen, evidence, for: identity)
            let bytes = Data("event: overview\ndata: ".utf8) + json + Data("\n\n".utf8)
            return (.overview(seen.status.withoutAges, evidence), bytes)
        } catch {
            let json = Problem(error).json
            return (.problem(json), Data("event: problem\ndata: ".utf8) + json + Data("\n\n".utf8))
        }
    }
}

/// Given back once, also when the stream is never written.
private final class ViewPlace: Sendable {
    private let slots: Locked<Slots?>

    private let asker: String

    init(_ slots: Slots, _ asker: String) {
        self.slots = Locked(slots)
        self.asker = asker
    }

    func leave() {
        let taken = slots.withLock { slots in
            defer { slots = nil }
            return slots
        }
        taken?.give(for: asker)
    }

    deinit { leave() }
}
