import Foundation
import Logging
import PeerTestSupport
import Testing
import lethe

@Suite("Logs for programs", .waiting)
struct JSONLogTests {
    private final class Written: @unchecked Sendable {
        private let lock = NSLock()
        private var data = Data()

        func add(_ more: Data) { lock.withLock { data += more } }

        var lines: [[String: Any]] {
            let all = lock.withLock { data }
            return all.split(separator: UInt8(ascii: "\n")).map {
                (try? JSONSerialization.jsonObject(with: $0) as? [String: Any]) ?? [:]
            }
        }
    }

    @Test("Every line is an object, whatever is logged")
    func lines() throws {
        let written = Written()
        var logger = Logger(label: "test") { label in
            JSONLogHandler(label: label, now: { Date(timeIntervalSince1970: 1.5) }) { written.add($0) }
        }
        logger[metadataKey: "all"] = "x"
        logger.warning("a\n\"b\" \u{1B}", metadata: ["list": ["1", ["k": "\n"]], "all": "y"])
        logger.info("plain")
        logger.debug("not this")
        #expect(written.lines.count == 2)
        let first = try #require(written.lines.first)
        #expect(first["time"] as? String == "1970-01-01T00:00:01.500Z" && first["level"] as? String == "warning")
        #expect(first["label"] as? String == "test" && first["message"] as? String == "a\n\"b\" \u{1B}")
        let metadata = try #require(first["metadata"] as? [String: Any])
        #expect(metadata["all"] as? String == "y" && (metadata["list"] as? [Any])?.count == 2)
        #expect((written.lines[1]["metadata"] as? [String: Any])?["all"] as? String == "x")
    }

    @Test(
        "An unknown level or format is refused by whoever logs, with status 64",
        arguments: ["coordinator", "worker", "gateway"])
    func unknown(_ command: String) throws {
        let arguments = command == "gateway" ? [command] : [command, "--data", "/nowhere", "--model", "/nowhere"]
        let level = try lethe(arguments + ["--json"], environment: ["LETHE_LOG": "loud"])
        #expect(level.status == 64 && level.errors.contains("LETHE_LOG: there is no level loud"), "\(level.errors)")
        #expect((level.json["error"] as? [String: Any])?["kind"] as? String == "usage")
        let option = try lethe(arguments + ["--log-level", "loud"])
        #expect(option.status == 64 && option.errors.contains("--log-level"), "\(option.errors)")
        #expect(try lethe(arguments + ["--log-format", "xml"]).status == 64)
        let format = try lethe(arguments, environment: ["LETHE_LOG_FORMAT": "xml"])
        #expect(format.status == 64 && format.errors.contains("LETHE_LOG_FORMAT"), "\(format.errors)")
    }

    @Test(arguments: ["coordinator", "worker"])
    func `Variables that are set to nothing count as not set`(command: String) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lethe-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let names = [
            "LETHE_LOG", "LETHE_LOG_FORMAT", "LETHE_COORDINATOR", "LETHE_KEYS", "LETHE_COORDINATOR_KEY",
            "LETHE_WEIGHT_CACHE", "XDG_CACHE_HOME", "XDG_STATE_HOME", "TMPDIR",
        ]
        let result = try lethe(
            [command, "--data", folder.path + "/data", "--model", folder.path + "/none"],
            environment: Dictionary(names.map { ($0, "") }, uniquingKeysWith: { first, _ in first }))
        // What is missing is the model.
        #expect(result.status == 65 && !result.errors.contains("LETHE_"), "\(result.status) \(result.errors)")
        for command in ["status", "workers"] {
            let asked = try lethe(
                [command, "--coordinator", "tcp://127.0.0.1:1"],
                environment: ["LETHE_KEYS": "", "LETHE_COORDINATOR_KEY": ""])
            #expect(asked.status == 69, "\(asked.errors)")
        }
    }

    @Test("Coordinator and worker tell starts and ends of trainings, requests and workers, by name, one object a line")
    func cluster() throws {
        let cluster = try TestCluster(
            settings: ["--partition", "user-hash", "--shards", "2", "--log-format", "json", "--log-level", "warn"])
        cluster.stop()
        try cluster.startCoordinator(arguments: ["--log-level", "info"])
        try cluster.startWorker(0, arguments: ["--name", "left", "--log-format", "json"])
        try cluster.waitForWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 6))
        _ = try cluster.succeed("train", "--wait")
        cluster.stop()
        let logs = [cluster.coordinator?.logText ?? "", cluster.workers[0]?.logText ?? ""]
        var messages: [String] = []
        for line in logs.joined().split(separator: "\n") {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            messages.append(try #require(object?["message"] as? String, "\(line)"))
            #expect(object?["time"] is String && object?["label"] is String && object?["level"] is String)
        }
        for expected in [
            "worker left (127.0.0.1) is here", "begins: training shard", "ended: training shard",
            "lost worker left (127.0.0.1)",
            "is done", "as left", "begins: training on", "ended: adapter",
        ] {
            #expect(messages.contains { $0.contains(expected) }, "\(expected): \(messages)")
        }
    }
}
