import Foundation
import PeerTestSupport
import Testing

@Suite("Endpoints at the command line", .waiting)
struct EndpointOptionTests {
    @Test(
        "Coordinator, worker and client refuse what is no endpoint for the same reason",
        arguments: [
            ("127.0.0.1:7070", "scheme is missing"), ("tcp://127.0.0.1:70700", "above 65535"),
            ("udp://127.0.0.1:7070", "no scheme udp"), ("tcp://:7070", "host is missing"),
            ("tcp://a host:7070", "spaces"), ("tcp://::1:7070", "in brackets"),
        ])
    func malformed(_ endpoint: String, _ reason: String) throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("lethe-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        try TinyModelDirectory.write(to: root)
        let commands = [
            ["coordinator", "--data", root.path + "/data", "--model", root.path, "--listen=\(endpoint)"],
            ["worker", "--data", root.path + "/worker", "--model", root.path, "--coordinator=\(endpoint)"],
            ["status", "--coordinator=\(endpoint)"],
        ]
        for command in commands {
            let result = try lethe(command + ["--json"])
            #expect(result.status == 64, "\(command): \(result.status) \(result.errors)")
            #expect(result.errors.contains(reason), "\(command): \(result.errors)")
            #expect((result.json["error"] as? [String: Any])?["kind"] as? String == "usage")
        }
        let variable = try lethe(["status"], environment: ["LETHE_COORDINATOR": endpoint])
        #expect(variable.status == 64 && variable.errors.contains("LETHE_COORDINATOR"), "\(variable.errors)")
    }

    @Test(
        "Beyond loopback keys are demanded, of IPv6 too",
        arguments: [
            "tcp://0.0.0.0:*", "tcp://*:*", "tcp://[::]:*", "tcp://[fe80::1%lo]:*", "tcp://[::ffff:192.0.2.1]:*",
        ])
    func encrypted(_ endpoint: String) throws {
        let result = try lethe([
            "coordinator", "--data", "/proc/nowhere", "--model", "/nowhere", "--listen", endpoint,
        ])
        #expect(result.status == 64 && result.errors.contains("encrypted"), "\(result.errors)")
        #expect(result.errors.contains("lethe keys FILE"))
    }

    @Test("A cluster works over an IPv6 address", .enabled(if: hasIPv6))
    func cluster() throws {
        let cluster = try TestCluster(listening: "tcp://[::1]:*")
        #expect(cluster.endpoint.hasPrefix("tcp://[::1]:"))
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 6))
        _ = try cluster.succeed("train", "--wait")
        #expect(try cluster.adapterNames().count == 3)
    }

    @Test("A name that leads nowhere is named at once or after a while, with the status of who is not reached")
    func unresolvable() throws {
        let result = try lethe(["status", "--coordinator", "tcp://no-such-host.invalid:7070", "--json"])
        #expect(result.status == 69)
        #expect(result.errors.contains("the name no-such-host.invalid leads to no address"), "\(result.errors)")
    }

    @Test("A busy port, a busy data folder and a busy worker's folder are all possible later")
    func busy() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(1)
        func start(_ arguments: String...) throws -> CommandResult {
            try lethe(
                arguments + ["--model", cluster.model.path, "--weight-cache", "none", "--precision", "f32", "--json"])
        }
        let port = try start(
            "coordinator", "--data", cluster.root.path + "/other", "--listen", cluster.endpoint, "--threads", "1")
        let folder = try start(
            "coordinator", "--data", cluster.coordinatorDirectory.path, "--listen", "tcp://127.0.0.1:*")
        let worker = try start("worker", "--data", cluster.workerDirectory(0).path, "--coordinator", cluster.endpoint)
        for result in [port, folder, worker] {
            #expect(result.status == 75, "\(result.errors)")
            #expect(result.errors.contains("in use") || result.errors.contains("uses the data directory"))
            let error = result.json["error"] as? [String: Any]
            #expect(error?["kind"] as? String == "not-ready" && error?["status"] as? Int == 75)
        }
    }
}

/// Whether this machine has the loopback address of IPv6.
private let hasIPv6: Bool = {
    let file = FileManager.default.contents(atPath: "/proc/net/if_inet6") ?? Data()
    return String(decoding: file, as: UTF8.self).contains("00000000000000000000000000000001")
}()
