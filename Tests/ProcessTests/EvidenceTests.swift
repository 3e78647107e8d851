import Foundation
import PeerTestSupport
import Testing

@Suite("Evidence, with real processes", .waiting)
struct EvidenceTests {
    private static let user = Ratings.name(5)
    private static let ratings = Ratings.csv(users: 24)

    /// A worker whose disk holds the user's prompts, and the file that they are sealed in.
    private struct Holding {
        var worker: Int
        var file: URL
        var bytes: Data

        var isThere: Bool { (try? Data(contentsOf: file)) == bytes }
    }

    private func holding(in cluster: TestCluster, workers: Int) throws -> Holding {
        let plan = try cluster.succeed("forget", "--user", Self.user, "--dry-run")
        let shard = try #require((plan["shards"] as? [Int])?.first)
        for worker in 0..<workers {
            let file = cluster.workerDirectory(worker).appendingPathComponent("shards/\(shard)/prompts.sealed")
            if let bytes = try? Data(contentsOf: file) { return Holding(worker: worker, file: file, bytes: bytes) }
        }
        throw TestFailure("nobody holds shard \(shard)")
    }

    @Test(
        "A disk that was away is named in the certificate until it is confirmed, also by a coordinator that never met it"
    )
    func awayWorker() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(2)
        _ = try cluster.importRatings(Self.ratings)
        _ = try cluster.succeed("train", "--wait")
        let (user, holding) = (Self.user, try holding(in: cluster, workers: 2))
        cluster.workers[holding.worker]?.kill()
        cluster.coordinator?.kill()
        try cluster.startCoordinator()

        let reply = try cluster.succeed("forget", "--user", user, "--wait")
        let request = try #require(reply["request"] as? String)
        let certificate = try #require(reply["certificate"] as? [String: Any])
        let statement = try #require(certificate["statement"] as? [String: Any])
        let named = try #require(statement["unconfirmed"] as? [[String: Any]])
        #expect(named.count == 1)
        let id = try #require(named.first?["worker"] as? String)
        #expect(holding.isThere)
        let listed = try #require(try cluster.succeed("workers")["workers"] as? [[String: Any]])
        #expect(listed.contains { $0["id"] as? String == id && $0["state"] as? String == "away" })

        // It comes back, deletes what it must not hold, and the evidence is added to.
        try cluster.startWorker(holding.worker)
        try wait("a supplement") {
            let again = try cluster.succeed("forget", "--user", user, "--request-id", request)
            return (again["supplements"] as? [Any])?.count == 1 && (again["unconfirmed"] as? [Any])?.isEmpty == true
        }
        #expect(!holding.isThere)
        #expect(try cluster.succeed("verify", "--request", request)["verified"] as? Bool == true)
    }

    @Test("A lost disk is declared destroyed by name, and later requests name it no more")
    func lostDisk() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(2)
        _ = try cluster.importRatings(Self.ratings)
        _ = try cluster.succeed("train", "--wait")
        let (user, holding) = (Self.user, try holding(in: cluster, workers: 2))
        cluster.workers[holding.worker]?.kill()
        try wait("the loss to be noticed") { try cluster.liveWorkers() == 1 }
        let reply = try cluster.succeed("forget", "--user", user, "--wait")
        let named = try #require(reply["unconfirmed"] as? [[String: Any]])
        let name = try #require(named.first?["name"] as? String)
        #expect(try cluster.command("workers", "forget-copy", "nobody").status == 65)
        let declared = try cluster.succeed("workers", "forget-copy", name)
        let gone = Set(declared["shards"] as? [Int] ?? [])
        #expect(gone.isSuperset(of: named.compactMap { $0["shard"] as? Int }) && !named.isEmpty)
        let request = try #require(reply["request"] as? String)
        let again = try cluster.succeed("forget", "--user", user, "--request-id", request, "--wait")
        let supplements = try #require(again["supplements"] as? [[String: Any]])
        let statement = try #require(supplements.first?["statement"] as? [String: Any])
        #expect((statement["copies"] as? [[String: Any]])?.contains { $0["state"] as? String == "destroyed" } == true)
        let later = try cluster.succeed("forget", "--user", Ratings.name(4), "--wait")
        #expect((later["unconfirmed"] as? [Any])?.isEmpty == true)
    }

    @Test("A finished request answers with its certificate after any restart, and is called finished")
    func repeatedRequest() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 12))
        _ = try cluster.succeed("train", "--wait")
        let user = Ratings.name(3)
        let first = try cluster.succeed("forget", "--user", user, "--request-id", "r1", "--wait")
        cluster.coordinator?.kill()
        try cluster.startCoordinator()
        for arguments in [["--wait"], []] {
            let again = try cluster.command(["forget", "--user", user, "--request-id", "r1"] + arguments)
            #expect(again.status == 0, "\(again.errors)")
            #expect(!again.errors.contains("accepted"))
            #expect(again.json["state"] as? String == "finished")
            let (old, new) = (first["certificate"] as? NSDictionary, again.json["certificate"] as? NSDictionary)
            #expect(old == new && new != nil)
        }
    }

    /// Checks a printed certificate with the printed key and says "valid", or "INVALID" with the status 1.
    private static let checker = """
        import base64, json, sys
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        def unpad(text): return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        certificate, status = (json.load(open(path)) for path in sys.argv[1:3])
        certificate = certificate["certificate"]
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(status["certificate_key"]))
        signed, _, signature = certificate["jws"].rpartition(".")
        key.verify(unpad(signature), signed.encode())
        header, payload = map(unpad, signed.split("."))
        assert json.loads(header)["alg"] == "EdDSA"
        assert json.loads(payload) == certificate["statement"]
        assert base64.b64decode(certificate["signature"]) == unpad(signature)
        for position in range(len(signed)):
            changed = signed[:position] + ("A" if signed[position] != "A" else "B") + signed[position + 1:]
            try:
                key.verify(unpad(signature), changed.encode())
            except InvalidSignature:
                continue
            sys.exit("INVALID: a changed character verifies")
        print("valid")
        """

    static var python: String? { ProcessInfo.processInfo.environment["LETHE_TEST_PYTHON"] }

    @Test(
        "Somebody else's software verifies the printed certificate with the printed key, and no changed character of it",
        .enabled(if: python != nil))
    func anotherLanguage() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 12))
        _ = try cluster.succeed("train", "--wait")
        let forgotten = try cluster.command("forget", "--user", Ratings.name(3), "--wait")
        let status = try cluster.command("status")
        var paths: [String] = []
        for (name, output) in [("forget.json", forgotten.output), ("status.json", status.output)] {
            let file = cluster.root.appendingPathComponent(name)
            try output.write(to: file)
            paths.append(file.path)
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [try #require(Self.python), "-c", Self.checker] + paths
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let printed = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(String(decoding: printed, as: UTF8.self) == "valid\n")
    }
}
