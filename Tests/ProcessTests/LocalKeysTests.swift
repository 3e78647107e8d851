import Foundation
import Messages
import PeerTestSupport
import Testing
import ZeroMQ

@Suite("A coordinator on loopback without keys", .waiting)
struct LocalKeysTests {
    private func answers(_ endpoint: String, _ curve: SocketOptions.Curve?) throws -> (Bool, ConnectionAttempt) {
        var options = SocketOptions()
        options.curve = curve
        let socket = try Socket(Context(), .dealer, options: options)
        try socket.measure()
        try socket.connect(endpoint)
        try socket.send(try ClientRequest.status.frames(id: "s"))
        let end = ContinuousClock.now + .seconds(curve == nil ? 2 : 20)
        while ContinuousClock.now < end {
            if try socket.receive() != nil { return (true, socket.attempt) }
            _ = try Poller([.socket(socket)]).wait(timeout: .milliseconds(50))
        }
        return (false, socket.attempt)
    }

    @Test func `This user's commands, workers and gateways find it by themselves, and nobody gets in without its keys`()
        async throws
    {
        let cluster = try TestCluster(opensLoopback: false)
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 6))
        let server = try GatewayProcess(cluster)
        #expect(try await server.ask("/v1/status").status == 200)
        let entries = try cluster.succeed("audit")["entries"] as? [[String: Any]] ?? []
        #expect(entries.contains { ($0["detail"] as? String)?.contains("\"by\":\"local\"") == true })

        // As another user's process comes, which can read neither the note nor the keys.
        let (isIn, attempt) = try answers(cluster.endpoint, nil)
        #expect(!isIn && attempt == .failed)
        let own = cluster.coordinatorDirectory.appendingPathComponent("local-client.key").path
        let coordinator = cluster.coordinatorDirectory.appendingPathComponent("local-coordinator.key").path
        for file in [own, coordinator, own + ".pub", coordinator + ".pub"] {
            let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? NSNumber
            #expect(mode == 0o600, "\(file)")
        }
        let serverKey = try CurvePublicKey(contentsOf: coordinator)
        #expect(try !answers(cluster.endpoint, .client(.generate(), serverKey: serverKey)).0)
        #expect(try answers(cluster.endpoint, .client(CurveKeyPair(contentsOf: own), serverKey: serverKey)).0)

        let elsewhere = try lethe(
            ["status", "--coordinator", cluster.endpoint],
            environment: ["HOME": "/nonexistent", "XDG_STATE_HOME": "/nonexistent"])
        #expect(
            elsewhere.status == 69 && elsewhere.errors.contains("another user's coordinator"), "\(elsewhere.errors)")
        let named = try lethe(
            ["status", "--coordinator", cluster.endpoint, "--keys", own, "--coordinator-key", coordinator + ".pub"],
            environment: ["HOME": "/nonexistent", "XDG_STATE_HOME": "/nonexistent"])
        #expect(named.status == 0, "\(named.errors)")
    }

    @Test func `Killed and started again it has the same keys, and its worker comes back`() throws {
        let cluster = try TestCluster(opensLoopback: false)
        try cluster.startWorkers(1)
        let file = cluster.coordinatorDirectory.appendingPathComponent("local-coordinator.key")
        let before = try Data(contentsOf: file)
        cluster.coordinator?.kill()
        try cluster.startCoordinator()
        try cluster.waitForWorkers(1)
        #expect(try Data(contentsOf: file) == before)
        cluster.coordinator?.stop()
        try Data("curve\n".utf8).write(to: file)
        let refused = try lethe([
            "coordinator", "--data", cluster.coordinatorDirectory.path, "--model", cluster.model.path, "--precision",
            "f32",
            "--weight-cache", "none", "--listen", cluster.endpoint,
        ])
        #expect(refused.status == 65 && refused.errors.contains("take it away"), "\(refused.errors)")
    }

    @Test func `Opened, it takes everybody of this machine, also after one that was not and was killed`() throws {
        let cluster = try TestCluster(opensLoopback: false)
        cluster.coordinator?.kill()
        try cluster.startCoordinator(arguments: ["--open-loopback"])
        #expect(try answers(cluster.endpoint, nil).0)
        #expect(try cluster.command("status").status == 0)
        try cluster.startWorkers(1)
    }
}
