import Foundation
import Messages
import PeerTestSupport
import Testing
import ZeroMQ

@Suite("Keys with roles", .waiting)
struct KeyRolesTests {
    /// A coordinator with a list of keys.
    private final class Guarded {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lethe-roles-\(UUID().uuidString)")
        private(set) var cluster: TestCluster

        init(_ roles: [(name: String, arguments: [String])]) throws {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            let path = folder.path
            #expect(try lethe(["keys", path + "/coordinator"]).status == 0)
            for (name, arguments) in roles {
                #expect(try lethe(["keys", "\(path)/\(name)"]).status == 0)
                let allowed = try lethe(
                    ["keys", "allow", "\(path)/\(name).pub", "--allow-list", path + "/list", "--role"] + arguments)
                #expect(allowed.status == 0 && String(decoding: allowed.output, as: UTF8.self).contains("SIGHUP"))
            }
            cluster = try TestCluster(settings: [
                "--keys", path + "/coordinator", "--allow-list", path + "/list", "--partition", "user-hash", "--shards",
                "2",
            ])
        }

        deinit {
            cluster.stop()
            try? FileManager.default.removeItem(at: folder)
        }

        func environment(_ name: String) -> [String: String] {
            ["LETHE_KEYS": key(name), "LETHE_COORDINATOR_KEY": key("coordinator") + ".pub"]
        }

        func key(_ name: String) -> String { folder.appendingPathComponent(name).path }

        func run(_ name: String, _ arguments: String...) throws -> CommandResult {
            try lethe(arguments + ["--coordinator", cluster.endpoint, "--json"], environment: environment(name))
        }

        func worker(_ number: Int, as name: String) throws -> LetheProcess {
            try cluster.startWorker(number, environment: environment(name))
        }

        func waitForWorkers(_ count: Int, as name: String = "operator") throws {
            try wait("\(count) workers: \(cluster.workers.values.map(\.logText))") {
                let listed = try run(name, "status").json["workers"] as? [[String: Any]] ?? []
                return listed.count { $0["state"] as? String == "live" } == count
            }
        }

        var log: String { cluster.coordinator?.logText ?? "" }

        func revoke(_ name: String) throws {
            #expect(try lethe(["keys", "revoke", name, "--allow-list", key("list")]).status == 0)
            try reread()
        }

        func allow(_ name: String, _ roles: String...) throws {
            let allowed = try lethe(
                ["keys", "allow", key(name) + ".pub", "--allow-list", key("list"), "--role"] + roles)
            #expect(allowed.status == 0, "\(allowed.errors)")
            try reread()
        }

        /// Returns once the coordinator has read the list again, or said why not.
        func reread() throws {
            let process = try #require(cluster.coordinator).process
            let before = answers
            kill(process.processIdentifier, SIGHUP)
            try wait("the list to be read: \(log)") { answers > before }
        }

        private var answers: Int {
            log.split(separator: "\n").count { $0.contains("keys may connect") || $0.contains("keys that may connect") }
        }

        func connected(as name: String) throws -> Socket {
            var options = SocketOptions()
            options.curve = .client(
                try CurveKeyPair(contentsOf: key(name)),
                serverKey: try CurvePublicKey(contentsOf: key("coordinator") + ".pub"))
            let socket = try Socket(Context(), .dealer, options: options)
            try socket.connect(cluster.endpoint)
            return socket
        }
    }

    private func code(_ result: CommandResult) -> String? {
        (result.json["error"] as? [String: Any])?["code"] as? String
    }

    private func answer(to request: ClientRequest, over socket: Socket) throws -> ClientReply? {
        try socket.send(try request.frames(id: UUID().uuidString))
        for _ in 0..<100 {
            while let frames = try socket.receive() {
                guard frames.count > 2, frames[2] == Array("reply".utf8) else { continue }
                return try ClientReply.decode(frames: frames).reply
            }
            _ = try Poller([.socket(socket)]).wait(timeout: .milliseconds(50))
        }
        return nil
    }

    @Test
    func
        `A key for asking asks, and is refused everything else by name, over HTTP too, with an entry of the audit log`()
        async throws
    {
        let guarded = try Guarded([
            ("operator", ["admin"]), ("asker", ["query", "--name", "shop"]), ("front", ["gateway", "query"]),
            ("trainer", ["worker"]),
        ])
        _ = try guarded.worker(0, as: "trainer")
        let ratings = guarded.folder.appendingPathComponent("r.csv")
        try Data(Ratings.csv(users: 9).utf8).write(to: ratings)
        #expect(try guarded.run("operator", "import", "--format", "csv", ratings.path).status == 0)
        #expect(try guarded.run("operator", "train", "--wait").status == 0)

        let user = Ratings.name(1)
        #expect(try guarded.run("asker", "query", "--user", user, "--top", "2").status == 0)
        #expect(try guarded.run("trainer", "status").status == 0)
        for _ in 0..<3 {
            let refused = try guarded.run("asker", "forget", "--user", user)
            #expect(refused.status == 77 && code(refused) == "not-allowed", "\(refused.errors)")
            #expect(refused.errors.contains("shop") && refused.errors.contains("forget or admin"))
        }
        for (name, arguments) in [
            ("asker", ["audit"]), ("asker", ["access", "--user", user]),
            ("trainer", ["query", "--user", user, "--top", "1"]),
            ("asker", ["import", "--format", "csv", ratings.path]), ("front", ["forget", "--user", user]),
        ] {
            let refused = try lethe(
                arguments + ["--coordinator", guarded.cluster.endpoint, "--json"],
                environment: guarded.environment(name))
            #expect(refused.status == 77 && code(refused) == "not-allowed", "\(name) \(arguments) \(refused.errors)")
        }

        let gateway = try GatewayProcess(
            guarded.cluster,
            arguments: ["--coordinator-key", guarded.key("coordinator") + ".pub", "--keys", guarded.key("front")])
        let forget = try await gateway.ask("/v1/forget", body: "{\"user\": \"\(user)\"}")
        #expect(forget.status == 403 && forget.json["type"] as? String == "urn:lethe:problem:not-allowed")
        #expect(
            try await gateway.ask("/v1/rank", body: "{\"user\": \"\(user)\", \"candidates\": [\"i1\"]}").status == 200)
        #expect(try await gateway.ask("/v1/overview").status == 200)

        let log = try guarded.run("operator", "audit").json["entries"] as? [[String: Any]] ?? []
        let details = log.compactMap { $0["detail"] as? String }.compactMap {
            try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }
        let entries = details.filter { $0["by"] as? String == "shop" && $0["asked"] as? String == "forget" }
        #expect(entries.count == 1 && entries[0]["code"] as? String == "not-allowed", "\(details)")
        #expect(details.contains { $0["by"] as? String == "front" && $0["code"] as? String == "not-allowed" })
        // Three refusals are one line.
        #expect(guarded.log.split(separator: "\n").count { $0.contains("key shop may not ask for this (forget)") } == 1)
    }

    @Test
    func
        `Who is revoked is refused from SIGHUP on, also over a connection that is there, until the key is back; a damaged list changes nothing`()
        throws
    {
        let guarded = try Guarded([("operator", ["admin"]), ("asker", ["query"]), ("trainer", ["worker"])])
        let trainer = try guarded.worker(0, as: "trainer")
        try guarded.waitForWorkers(1)
        let socket = try guarded.connected(as: "asker")
        #expect(try answer(to: .status, over: socket)?.outcome.error == nil)

        let good = try Data(contentsOf: guarded.folder.appendingPathComponent("list"))
        for damaged in [Data(), good.prefix(good.count - 20), Data("query nobody\n".utf8)] {
            try damaged.write(to: guarded.folder.appendingPathComponent("list"))
            try guarded.reread()
            #expect(try answer(to: .status, over: socket)?.outcome.error == nil)
            #expect(try guarded.run("operator", "status").status == 0)
        }
        #expect(guarded.log.contains("stay as they were"))
        try good.write(to: guarded.folder.appendingPathComponent("list"))
        try guarded.reread()
        #expect(trainer.process.isRunning)

        try guarded.revoke("asker")
        #expect(try answer(to: .status, over: socket)?.outcome.error?.code == .notAllowed)
        #expect(try answer(to: .status, over: socket) == nil)
        #expect(try guarded.run("operator", "status").status == 0)
        #expect(trainer.process.isRunning)
        try guarded.revoke("trainer")
        try guarded.waitForWorkers(0)
        try wait("the worker to say so: \(trainer.logText)") { trainer.logText.contains("(not-allowed)") }
        #expect(guarded.cluster.coordinator?.process.isRunning == true)
        // Put back, it is found by the worker that was turned out.
        try guarded.allow("trainer", "worker")
        try guarded.waitForWorkers(1)
        #expect(trainer.process.isRunning)
    }

    @Test
    func
        `A worker's key is for the first worker that uses it, also after the coordinator was killed, and for no other's data`()
        throws
    {
        let guarded = try Guarded([
            ("operator", ["admin"]), ("one", ["worker"]), ("two", ["worker"]), ("many", ["worker", "--worker", "any"]),
        ])
        let first = try guarded.worker(0, as: "one")
        try guarded.waitForWorkers(1)
        for _ in 0..<2 {
            let second = try guarded.worker(1, as: "one")
            try wait("the second to be refused: \(second.logText)") {
                second.logText.contains("the first that used it")
            }
            #expect(first.process.isRunning && second.process.isRunning)
            second.stop()
            guarded.cluster.coordinator?.kill()
            try guarded.cluster.startCoordinator()
            try guarded.waitForWorkers(1)
        }
        first.stop()
        for key in ["two", "many"] {
            let posing = try guarded.worker(0, as: key)
            try wait("it to be refused: \(posing.logText)") { posing.logText.contains("belongs to the key one") }
            posing.stop()
        }
        for (number, key) in [(1, "many"), (2, "many"), (3, "two")] { _ = try guarded.worker(number, as: key) }
        try guarded.waitForWorkers(3)
        let log = try guarded.run("operator", "audit").json["entries"] as? [[String: Any]] ?? []
        #expect(log.count { $0["kind"] as? String == "worker key" } == 2)
        // From however many to the first, while they are here: one of the two stays.
        try guarded.allow("many", "worker", "--worker", "first")
        try guarded.waitForWorkers(2)
        try wait("the later one to be refused") {
            [1, 2].contains { guarded.cluster.workers[$0]?.logText.contains("the first that used it") == true }
        }
        let details = log.compactMap { $0["detail"] as? String }
        #expect(details.contains { $0.contains("\"asked\":\"work\"") && $0.contains("not-allowed") })
    }
}

extension ClientReply.Outcome {
    fileprivate var error: ClientError? { if case .failure(let error) = self { error } else { nil } }
}
