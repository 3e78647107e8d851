import Foundation
import Messages
import PeerTestSupport
import Testing
import ZeroMQ

@Suite("The audit log of a running cluster", .waiting)
struct AuditTests {
    /// Sends frames as no client of ours does, and waits for the answer.
    private func exchange(_ frames: [[UInt8]], with endpoint: String) throws -> [[UInt8]]? {
        let dealer = try Socket(Context(), .dealer)
        try dealer.connect(endpoint)
        try dealer.send(frames)
        for _ in 0..<50 {
            if let reply = try dealer.receive() { return reply }
            _ = try Poller([.socket(dealer)]).wait(timeout: .milliseconds(100))
        }
        return nil
    }

    private func details(_ log: [String: Any], kind: String) -> [[String: Any]] {
        (log["entries"] as? [[String: Any]] ?? []).filter { $0["kind"] as? String == kind }.compactMap { entry in
            (entry["detail"] as? String).flatMap {
                try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
            }
        }
    }

    @Test(
        "A request whose id is empty, too long or not printable gets an error under that id, and no line of the log of its own",
        arguments: ["", "a\nnotice: forged line", "\u{0}", String(repeating: "x", count: 300)])
    func ids(_ id: String) throws {
        let cluster = try TestCluster(opensLoopback: true)
        let status = Array("{\"status\":{}}".utf8)
        let header = Array("{\"body\":{},\"payloads\":[\(status.count)]}".utf8)
        let reply = try #require(
            try exchange(
                [[], [WireLimits.version], Array("request".utf8), Array(id.utf8), header, status],
                with: cluster.endpoint))
        #expect(reply[3] == Array(id.utf8))
        #expect(String(decoding: reply[4], as: UTF8.self).contains("invalid-request"))
        let log = cluster.coordinator?.logText ?? ""
        #expect(!log.split(separator: "\n").contains { $0.hasPrefix("notice: forged") })
        let refused = details(try cluster.succeed("audit"), kind: "request")
        try #require(refused.count == 1)
        #expect(refused[0]["asked"] as? String == "unreadable")
        #expect(refused[0]["outcome"] as? String == "refused" && refused[0]["by"] as? String == "local")
    }

    @Test(
        "verify names a deleted head of the log, a start names a lost certificate key, and both go on only when told to"
    )
    func lostEvidence() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 9))
        _ = try cluster.succeed("train", "--wait")
        #expect(try cluster.succeed("verify")["verified"] as? Bool == true)
        let head = cluster.coordinatorDirectory.appendingPathComponent("audit.head")
        try FileManager.default.removeItem(at: head)
        for _ in 0..<2 {
            let result = try cluster.command("verify")
            #expect(result.status == 2 && result.json["verified"] as? Bool == false)
            #expect(result.json["audit_chain"] as? Bool == false)
            #expect((result.json["audit_finding"] as? String)?.contains("audit.head") == true)
            // Stopping and starting does not make it whole.
            cluster.coordinator?.kill()
            try cluster.startCoordinator()
            try cluster.waitForWorkers(1)
        }
        cluster.coordinator?.stop()
        try FileManager.default.removeItem(at: cluster.coordinatorDirectory.appendingPathComponent("certificate.key"))
        let start = [
            "coordinator", "--data", cluster.coordinatorDirectory.path, "--model", cluster.model.path, "--precision",
            "f32", "--weight-cache", "none", "--partition", "user-hash", "--shards", "3", "--listen", cluster.endpoint,
        ]
        let refused = try lethe(start)
        #expect(refused.status != 0 && refused.errors.contains("certificate.key"))
        let accepted = try LetheProcess(
            start + ["--accept-new-certificate-key", "--accept-audit-log"],
            log: cluster.root.appendingPathComponent("accepted.log"))
        defer { accepted.stop() }
        try cluster.waitForWorkers(1)
        #expect(try cluster.succeed("verify")["verified"] as? Bool == true)
        let kinds = try #require(cluster.succeed("audit")["entries"] as? [[String: Any]]).compactMap {
            $0["kind"] as? String
        }
        #expect(Set(kinds).isSuperset(of: ["audit finding", "new certificate key", "audit finding accepted"]))
    }

    @Test("The log names the key of whoever trained, exported, forgot, was refused or asked queries")
    func names() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lethe-audit-\(UUID().uuidString)")
        let allowed = folder.appendingPathComponent("allowed")
        try FileManager.default.createDirectory(at: allowed, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        func key(_ name: String) -> String { folder.appendingPathComponent(name).path }
        for name in ["coordinator", "anna", "ben", "worker", "stranger"] {
            #expect(try lethe(["keys", key(name)]).status == 0)
            if ["anna", "ben", "worker"].contains(name) {
                try FileManager.default.copyItem(
                    atPath: key(name) + ".pub", toPath: allowed.appendingPathComponent(name + ".pub").path)
            }
        }
        let cluster = try TestCluster(
            settings: [
                "--keys", key("coordinator"), "--allow", allowed.path, "--partition", "user-hash", "--shards", "2",
            ])
        func run(_ name: String, _ arguments: String...) throws -> CommandResult {
            try lethe(
                arguments + ["--coordinator", cluster.endpoint, "--json"],
                environment: ["LETHE_KEYS": key(name), "LETHE_COORDINATOR_KEY": key("coordinator") + ".pub"])
        }
        try cluster.startWorker(
            0, environment: ["LETHE_KEYS": key("worker"), "LETHE_COORDINATOR_KEY": key("coordinator") + ".pub"])
        let ratings = folder.appendingPathComponent("r.csv")
        try Data(Ratings.csv(users: 9).utf8).write(to: ratings)
        #expect(try run("anna", "import", "--format", "csv", ratings.path).status == 0)
        #expect(try run("anna", "train", "--wait").status == 0)
        #expect(try run("ben", "adapters", "export", folder.appendingPathComponent("out").path).status == 0)
        for _ in 0..<3 { #expect(try run("ben", "forget", "--user", "nobody").status != 0) }
        #expect(try run("ben", "query", "--user", Ratings.name(2), "--top", "2").status == 0)
        let forget = try run("anna", "forget", "--user", Ratings.name(1), "--request-id", "anna-1", "--wait")
        #expect(forget.status == 0, "\(forget.errors)")
        let verify = try run("anna", "verify", "--request", "anna-1")
        #expect(verify.status == 0 && verify.json["audit_chain"] as? Bool == true, "\(verify.errors)")

        let log = try run("anna", "audit").json
        let requests = details(log, kind: "request")
        func found(_ by: String, _ asked: String, _ outcome: String) -> [[String: Any]] {
            requests.filter {
                $0["by"] as? String == by && $0["asked"] as? String == asked && $0["outcome"] as? String == outcome
            }
        }
        for asked in ["import", "train", "forget", "verify"] {
            #expect(found("anna", asked, "granted").count == 1, "\(asked)")
        }
        #expect(found("ben", "export", "granted").compactMap { $0["adapter"] as? String }.count == 2)
        let refused = found("ben", "forget", "refused")
        #expect(refused.count == 1 && refused[0]["code"] as? String == "unknown-user")
        // The hash of the id leads from the request to what was done.
        let name = found("anna", "forget", "granted").first?["request"] as? String
        #expect(details(log, kind: "forget").compactMap { $0["request"] as? String } == [name])
        let text = try String(decoding: JSONSerialization.data(withJSONObject: log), as: UTF8.self)
        #expect(!text.contains("anna-1") && !text.contains("nobody"))

        // What was counted is written when the coordinator stops.
        cluster.coordinator?.stop()
        try cluster.startCoordinator()
        let later = details(try run("anna", "audit").json, kind: "request")
        #expect(later.contains { $0["asked"] as? String == "query" && $0["count"] as? Int == 1 })
        #expect(
            later.contains {
                $0["asked"] as? String == "forget" && $0["code"] as? String == "unknown-user"
                    && $0["count"] as? Int == 2
            })
    }
}
