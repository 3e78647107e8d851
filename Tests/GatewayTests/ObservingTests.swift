import Foundation
import HTTPTypes
import Messages
import Testing

@testable import Gateway

@Suite("What a gateway says of itself and of the cluster")
struct ObservingTests {
    @Test("Metrics are Prometheus's text: every sample has its family, no name has a dot, no label names anybody")
    func metrics() async throws {
        let now = (Date(iso8601: FakeReplies.received) ?? .distantPast).addingTimeInterval(90)
        let gateway = try TestGateway(now: { now })
        _ = try await gateway.ask(.post, "/v1/rank", #"{"user":"ben"}"#)
        _ = try await gateway.ask(.get, "/v1/requests/ben")
        _ = try await gateway.ask(.get, "/ben")
        _ = try await gateway.ask(try #require(HTTPRequest.Method("BEN")), "/v1/rank")
        let answer = try await gateway.ask(.get, "/metrics")
        #expect(answer.headers[.contentType] == PrometheusText.mediaType)
        let text = String(decoding: answer.body, as: UTF8.self)
        #expect(!text.lowercased().contains("ben") && !text.contains("first"))
        var families: Set<String> = []
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# TYPE ") {
                #expect(families.insert(String(line.split(separator: " ")[2])).inserted, "\(line)")
                continue
            }
            guard !line.hasPrefix("#") else { continue }
            let name = line.prefix { $0 != " " && $0 != "{" }
            #expect(name.allSatisfy { $0.isLowercase || $0 == "_" }, "\(line)")
            let family = ["_bucket", "_sum", "_count"].reduce(String(name)) { name, end in
                name.hasSuffix(end) && !families.contains(name) ? String(name.dropLast(end.count)) : name
            }
            #expect(families.contains(family), "\(line)")
            #expect(Double(line.split(separator: " ").last ?? "") != nil, "\(line)")
        }
        for sample in [
            #"lethe_gateway_http_requests_total{method="POST",route="/v1/rank",status="200"} 1"#,
            #"lethe_gateway_http_requests_total{method="GET",route="/v1/requests/{id}",status="200"} 1"#,
            #"lethe_gateway_http_requests_total{method="GET",route="other",status="404"} 1"#,
            "lethe_coordinator_reachable 1", "lethe_coordinator_questions_waiting 3", "lethe_requests_pending 1",
            "lethe_requests_oldest_pending_seconds 90", "lethe_shards_quarantined 1",
            "lethe_retraining_owed_seconds 12.5", "lethe_requests_nearest_due_seconds 2591910",
            "lethe_copies_unconfirmed 1", "lethe_tasks_waiting 1", #"lethe_shards{state="current"} 1"#,
            "lethe_training_tokens_per_second 0",
        ] {
            #expect(text.contains(sample + "\n"), "\(sample)")
        }
        // Of a coordinator that does not say how many there were.
        #expect(!text.contains("tokens_total"))
    }

    @Test("Tokens of questions and trainings are counted, and those trained a second are summed over workers")
    func tokens() async throws {
        let worker = { (name: String, rate: String) in
            #"{"id":"\#(name)","name":"\#(name)","state":"live","last_seen_seconds":0,"threads":1,"shards":[],"holds":[],"#
                + #""copies":[],"tasks":[{"kind":"train","shard":0,"description":"","tokens_per_second":\#(rate)},"#
                + #"{"kind":"score","description":"","tokens_per_second":7}]}"#
        }
        let status = FakeReplies.status
            .replacing(#""workers":[]"#, with: #""workers":[\#(worker("a", "812")),\#(worker("b", "0.5"))]"#)
            .replacing(#""answered":7"#, with: #""answered":7,"prompt_tokens":1234"#)
            .replacing(#""tuned":true"#, with: #""tuned":true,"trained_tokens":98765"#)
        let gateway = try TestGateway(
            FakeCoordinator { request, id in
                if case .status = request { return .success(Data(status.utf8)) }
                return try FakeReplies.any(request, id)
            })
        let text = String(decoding: try await gateway.ask(.get, "/metrics").body, as: UTF8.self)
        for (kind, sample) in [
            ("counter", "lethe_coordinator_prompt_tokens_total 1234"), ("counter", "lethe_trained_tokens_total 98765"),
            ("gauge", "lethe_training_tokens_per_second 812.5"),
        ] {
            let name = sample.prefix { $0 != " " }
            #expect(text.contains("# TYPE \(name) \(kind)\n\(sample)\n"), "\(sample)")
        }
    }

    @Test("A status is asked once a second at most, however many look")
    func cached() async throws {
        let coordinator = FakeCoordinator()
        let gateway = try TestGateway(coordinator)
        for path in ["/v1/status", "/metrics", "/v1/overview", "/readyz", "/v1/status"] {
            #expect(try await gateway.ask(.get, path).status == 200)
        }
        #expect(coordinator.requests.count { $0 == .status } == 1)
    }

    @Test("A gateway whose coordinator is gone lives, is not ready, and its own metrics are there")
    func unreachable() async throws {
        let gateway = try TestGateway(
            FakeCoordinator { _, _ in .failure(ClientError(code: .unreachable, message: "nobody there")) })
        for path in ["/healthz", "/v2/health/live"] { #expect(try await gateway.ask(.get, path).status == 200) }
        for path in ["/readyz", "/v2/health/ready", "/v1/status"] {
            let answer = try await gateway.ask(.get, path)
            #expect(answer.status == 503 && answer.problem == "unreachable")
        }
        let metrics = try await gateway.ask(.get, "/metrics")
        #expect(metrics.status == 200)
        #expect(String(decoding: metrics.body, as: UTF8.self).contains("lethe_coordinator_reachable 0\n"))
    }

    @Test("A gateway that is being stopped lives, is not ready, still answers, and ends live views")
    func draining() async throws {
        let gateway = try TestGateway()
        let view = Task { try await gateway.ask(.get, "/v1/events") }
        try await Task.sleep(for: .milliseconds(300))
        gateway.draining.begin()
        #expect(try await gateway.ask(.get, "/healthz").status == 200)
        #expect(try await gateway.ask(.get, "/readyz").problem == "draining")
        #expect(try await gateway.ask(.get, "/v2/health/ready").status == 503)
        #expect(try await gateway.ask(.post, "/v1/rank", #"{"user":"ada"}"#).status == 200)
        let events = try await view.value
        #expect(events.headers[.contentType] == "text/event-stream")
        #expect(HTTPField.Name("X-Accel-Buffering").flatMap { events.headers[$0] } == "no")
        let text = String(decoding: events.body, as: UTF8.self)
        #expect(text.hasPrefix("event: overview\ndata: {\"status\":{") && text.hasSuffix("}\n\n"))
        #expect(text.components(separatedBy: "event: overview").count == 2, "nothing changed in between")
    }

    @Test("Live views are bounded, and one that ended makes room")
    func views() async throws {
        var limits = GatewayLimits()
        limits.views = 1
        let gateway = try TestGateway(limits: limits)
        let view = Task { try await gateway.ask(.get, "/v1/events") }
        try await Task.sleep(for: .milliseconds(300))
        #expect(try await gateway.ask(.get, "/v1/events").status == 429)
        view.cancel()
        _ = try? await view.value
        gateway.draining.begin()
        #expect(try await gateway.ask(.get, "/v1/events").status == 200)
    }

    @Test("The page runs nothing but its own files, and they are there")
    func page() async throws {
        let gateway = try TestGateway()
        let page = try await gateway.ask(.get, "/")
        let policy = try #require(page.headers[.contentSecurityPolicy])
        #expect(policy.contains("script-src 'self'") && !policy.contains("unsafe"))
        let text = String(decoding: page.body, as: UTF8.self)
        #expect(!text.contains("<script>") && !text.contains("style=") && !text.contains("onclick"))
        // What changes every second is not read out.
        #expect(
            text.contains(#"<p id="activity">"#) && text.contains(#"<p id="announcement" class="heard" role="status">"#)
        )
        for path in ["/dashboard.js", "/dashboard.css"] {
            #expect(text.contains("\"\(path)\""))
            #expect(try await gateway.ask(.get, path).body.count > 1000)
        }
        for text in [text, String(decoding: try await gateway.ask(.get, "/dashboard.js").body, as: UTF8.self)] {
            #expect(!text.contains("http://") && !text.contains("https://") && !text.contains("innerHTML"))
        }
    }
}
