import Foundation
import PeerTestSupport
import Testing

@Suite("Starting a coordinator again", .waiting)
struct RestartTests {
    private func start(_ cluster: TestCluster, _ arguments: [String]) throws -> LetheProcess {
        let file = cluster.coordinatorDirectory.appendingPathComponent("endpoint")
        try? FileManager.default.removeItem(at: file)
        let process = try LetheProcess(
            ["coordinator", "--listen", cluster.endpoint, "--weight-cache", "none"] + arguments,
            log: cluster.root.appendingPathComponent("again-\(UUID().uuidString).log"))
        try wait("the coordinator to listen: \(process.logText)") {
            guard process.process.isRunning else { throw TestFailure("it ended: \(process.logText)") }
            return FileManager.default.fileExists(atPath: file.path)
        }
        return process
    }

    /// What may not be lost between two starts.
    private func options(_ cluster: TestCluster) throws -> [String: Any] {
        var options = try cluster.succeed("config")
        for key in ["threads", "listen"] { options[key] = nil }
        return options
    }

    @Test("With its folder alone it goes on as it was started last, and says so")
    func recorded() throws {
        let settings = [
            "--partition", "user-hash", "--shards", "3", "--epochs", "3", "--batch", "2", "--learning-rate", "0.003",
            "--rank", "4", "--alpha", "6", "--targets", "q_proj", "k_proj", "--seed", "18446744073709551615", "--rule",
            "D",
            "--when-no-adapter", "refuse", "--method", "ifru", "--prepare", "ifru", "--double-check", "0.25",
            "--warmup-steps", "1", "--weight-decay", "0.5", "--embedding-layer", "2",
        ]
        let cluster = try TestCluster(settings: settings)
        let first = try options(cluster)
        #expect(first["shards"] as? Int == 3 && first["method"] as? String == "ifru" && first["rank"] as? Int == 4)
        #expect(first["seed"] as? UInt64 == .max && first["double_check"] as? String == "0.25")
        #expect(first["model"] as? String == cluster.model.path && first["precision"] as? String == "f32")
        cluster.stop()

        // What it would start with, without starting it.
        let files = try FileManager.default.subpathsOfDirectory(atPath: cluster.coordinatorDirectory.path).sorted()
        let offline = try lethe(["config", "--data", cluster.coordinatorDirectory.path, "--json"])
        #expect(offline.status == 0, "\(offline.errors)")
        #expect(
            try FileManager.default.subpathsOfDirectory(atPath: cluster.coordinatorDirectory.path).sorted() == files)
        for key in first.keys where !["listen", "weight_cache"].contains(key) {
            #expect(offline.json[key] as? NSObject == first[key] as? NSObject, "\(key)")
        }
        let again = try start(cluster, ["--data", cluster.coordinatorDirectory.path])
        #expect((try options(cluster) as NSDictionary) == (first as NSDictionary))
        let busy = try lethe(["config", "--data", cluster.coordinatorDirectory.path])
        #expect(busy.status == 75 && busy.errors.contains("lethe config --coordinator"), "\(busy.errors)")
        again.stop()

        // The output is a configuration file.
        let file = cluster.root.appendingPathComponent("config.json")
        try offline.output.write(to: file)
        let configured = try start(cluster, ["--config", file.path])
        #expect((try options(cluster) as NSDictionary) == (first as NSDictionary))
        let text = try lethe(["config", "--coordinator", cluster.endpoint])
        #expect(String(decoding: text.output, as: UTF8.self).contains("18446744073709551615"))
        configured.stop()

        // What may change does, and is the default from then on; what may not is refused.
        let changed = try start(
            cluster, ["--data", cluster.coordinatorDirectory.path, "--method", "apa", "--prepare", "none"])
        #expect(try options(cluster)["method"] as? String == "apa")
        changed.stop()
        let refused = try lethe(["coordinator", "--data", cluster.coordinatorDirectory.path, "--rank", "8"])
        #expect(refused.status == 64 && refused.errors.contains("rank was 4"), "\(refused.errors)")
        let kept = try start(cluster, ["--data", cluster.coordinatorDirectory.path])
        let last = try options(cluster)
        #expect(last["method"] as? String == "apa" && last["prepare"] as? String == "none" && last["rank"] as? Int == 4)
        kept.stop()
    }

    @Test("A base model that is gone from where it was is named; a new folder has none")
    func model() throws {
        let cluster = try TestCluster()
        cluster.stop()
        let moved = cluster.root.appendingPathComponent("moved")
        try FileManager.default.moveItem(at: cluster.model, to: moved)
        let gone = try lethe(["coordinator", "--data", cluster.coordinatorDirectory.path])
        #expect(gone.status == 65 && gone.errors.contains(cluster.model.path), "\(gone.errors)")
        let shown = try lethe(["config", "--data", cluster.coordinatorDirectory.path, "--json"])
        #expect(shown.json["model"] as? String == cluster.model.path)
        let new = try lethe(["coordinator", "--data", cluster.root.path + "/new"])
        #expect(new.status == 64 && new.errors.contains("--model is missing"), "\(new.errors)")
        #expect(try lethe(["config", "--data", cluster.root.path + "/new"]).status == 65)
        let again = try start(cluster, ["--data", cluster.coordinatorDirectory.path, "--model", moved.path])
        #expect(try cluster.succeed("config")["model"] as? String == moved.path)
        again.stop()
    }

    @Test("Keys that lie elsewhere are found again")
    func keys() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lethe-keys-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let cluster = try TestCluster(settings: ["--keys-dir", folder.path])
        _ = try cluster.importRatings(Ratings.csv(users: 3))
        cluster.stop()
        let again = try start(cluster, ["--data", cluster.coordinatorDirectory.path])
        #expect(try cluster.succeed("access", "--user", Ratings.name(1))["user"] as? String == Ratings.name(1))
        #expect(try cluster.succeed("config")["keys_dir"] as? String == folder.path)
        again.stop()
    }
}
