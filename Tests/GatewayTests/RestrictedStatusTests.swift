import Foundation
import Messages
import Testing

@testable import Gateway

@Suite("What tokens that neither forget nor audit see of a cluster")
struct RestrictedStatusTests {
    private static let name = "anna@example.org"

    /// As a coordinator of an older release says it, in lines that have names.
    private static let stuck = """
        "stuck":[{"kind":"finish","description":"signing the certificate of \(name)","request":"\(name)",\
        "code":"disk-full","reason":"the disk is full at the certificate of \(name)","attempts":4},\
        {"kind":"forget","description":"reading what request \(name) did","request":"\(name)","code":"failed",\
        "reason":"\(name)","attempts":1},\
        {"kind":"operation","description":"operation \(name)","request":"\(name)","code":"failed","reason":"x",\
        "attempts":3},\
        {"kind":"purge","description":"purging the files of what was forgotten","code":"failed",\
        "reason":"of \(name)","attempts":2}]
        """
    private static let operations = """
        "operations":[{"id":"\(name)","kind":"forget","state":"running","progress":"\(name)","fraction":0.5},\
        {"id":"\(name)","kind":"evaluate","state":"failed","progress":"failed","fraction":0.5,\
        "error":{"code":"failed","message":"operation \(name) failed 3 times"}}]
        """
    private static let workers = """
        "workers":[{"id":"w","name":"w","state":"live","last_seen_seconds":0,"threads":1,"shards":[],"holds":[],\
        "copies":[],"tasks":[{"kind":"score","description":"score for \(name)","operation":"\(name)"},\
        {"kind":"train","shard":0,"description":"training shard 0"}]}]
        """
    /// With a field, too, that no release has yet.
    private static let status = [
        (#""stuck":[]"#, stuck), (#""operations":[]"#, operations), (#""workers":[]"#, workers),
        (#""tuned":true"#, "\"tuned\":true,\"named\":\"\(name)\""),
        (#""up to date""#, "\"waiting for the ledger: of \(name)\""),
    ].reduce(FakeReplies.status) { $0.replacing($1.0, with: $1.1) }

    private let coordinator = FakeCoordinator { request, id in
        if case .status = request { return .success(Data(Self.status.utf8)) }
        return try FakeReplies.any(request, id)
    }

    private func gateway(_ token: NewToken) throws -> TestGateway {
        try TestGateway(coordinator, tokens: token.line)
    }

    @Test("No name of a request, wherever the coordinator says it", arguments: [Role.query, .data])
    func nameless(role: Role) async throws {
        let token = NewToken(role: role, name: nil)
        let gateway = try gateway(token)
        let headers = ["Authorization": "Bearer \(token.token)"]
        for path in ["/v1/status", "/v1/overview", "/v1/adapters", "/metrics"] {
            let answer = try await gateway.ask(.get, path, headers: headers)
            #expect(answer.status == 200)
            #expect(!String(decoding: answer.body, as: UTF8.self).contains("anna"), "\(path)")
        }
    }

    @Test("Nor in what they follow live")
    func live() async throws {
        let token = NewToken(role: .query, name: nil)
        let gateway = try gateway(token)
        let view = Task {
            try await gateway.ask(.get, "/v1/events", headers: ["Authorization": "Bearer \(token.token)"])
        }
        // What is seen is told, also when the gateway is told to stop meanwhile.
        for _ in 0..<6000 where coordinator.requests.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        gateway.draining.begin()
        let events = String(decoding: try await view.value.body, as: UTF8.self)
        #expect(events.contains("event: overview") && !events.contains("anna"))
    }

    @Test("What is stuck, what works and how far it is they do see")
    func told() async throws {
        let token = NewToken(role: .query, name: nil)
        let answer = try await gateway(token).ask(
            .get, "/v1/status", headers: ["Authorization": "Bearer \(token.token)"])
        let status = try ReplyCoding.decode(StatusReply.self, from: answer.body)
        #expect(status.report.stuck.map(\.kind) == ["finish", "forget", "operation", "purge"])
        #expect(
            status.report.stuck.map(\.description) == [
                "signing a certificate", "reading what a forget request did", "work of an operation",
                "purging the files of what was forgotten",
            ])
        #expect(status.report.stuck.map(\.code) == ["disk-full", "failed", "failed", "failed"])
        #expect(status.report.operations.map(\.kind) == ["evaluate"])
        #expect(status.report.workers.flatMap(\.tasks).map(\.description) == ["score", "training shard 0"])
        #expect(status.report.activity == "waiting for the ledger")
        #expect(status.report.pendingForgetsTotal == 1 && status.statistics.users == 2)
        #expect(status.questions?.waiting == 3 && status.report.shards.count == 2)
    }

    @Test(
        "Who forgets or audits sees the status as the coordinator wrote it", arguments: [Role.forget, .audit, .admin])
    func whole(role: Role) async throws {
        let token = NewToken(role: role, name: nil)
        let answer = try await gateway(token).ask(
            .get, "/v1/status", headers: ["Authorization": "Bearer \(token.token)"])
        #expect(answer.body == Data(Self.status.utf8))
    }
}
