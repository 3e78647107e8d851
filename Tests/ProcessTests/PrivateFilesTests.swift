import Foundation
import PeerTestSupport
import Testing

@Suite("Files of services are private, whatever the umask", .waiting)
struct PrivateFilesTests {
    /// Everything below the folder whose group or others have any right, with its mode.
    private func open(below folder: URL) throws -> [String] {
        var found: [String] = []
        let names = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
        #expect(!names.isEmpty)
        for path in [folder.path] + names.map({ "\(folder.path)/\($0)" }) {
            var status = stat()
            // Files come and go while processes run.
            guard lstat(path, &status) == 0, status.st_mode & 0o077 != 0 else { continue }
            found.append("\(path) \(String(status.st_mode & 0o7777, radix: 8))")
        }
        return found
    }

    @Test("Coordinator, workers, weight cache and keys write 0600 and 0700", arguments: ["022", "000"])
    func services(umask: String) throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("lethe-test-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        let (model, data, cache) = (
            "\(root.path)/model", root.appendingPathComponent("a/data"), "\(root.path)/c/weights"
        )
        try TinyModelDirectory.write(to: URL(fileURLWithPath: model))
        let common = ["--model", model, "--threads", "1", "--precision", "f32", "--weight-cache", cache]
        let coordinator = try LetheProcess(
            ["coordinator", "--data", data.path, "--listen", "tcp://127.0.0.1:*", "--shards", "2", "--method", "ifru"]
                + ["--partition", "user-hash", "--epochs", "1"] + common,
            log: root.appendingPathComponent("coordinator.log"), umask: umask)
        defer { coordinator.stop() }
        var endpoint = ""
        try wait("the endpoint: \(coordinator.logText)") {
            endpoint = (try? String(contentsOf: data.appendingPathComponent("endpoint"), encoding: .utf8)) ?? ""
            return endpoint.hasSuffix("\n")
        }
        endpoint = endpoint.trimmingCharacters(in: .newlines)
        let work = root.appendingPathComponent("w/work")
        let worker = try LetheProcess(
            ["worker", "--coordinator", endpoint, "--data", work.path] + common,
            log: root.appendingPathComponent("worker.log"), umask: umask)
        defer { worker.stop() }
        let ratings = root.appendingPathComponent("ratings.csv")
        try Data(Ratings.csv(users: 12).utf8).write(to: ratings)
        for command in [["import", "--format", "csv", ratings.path], ["train", "--wait"]] {
            let result = try lethe(command + ["--coordinator", endpoint, "--json"])
            #expect(result.status == 0, "\(result.errors)")
        }
        try wait("a preparation on the worker's disk: \(worker.logText)") {
            try FileManager.default.subpathsOfDirectory(atPath: work.path).contains {
                $0.hasSuffix(".preparation.sealed")
            }
        }
        #expect(FileManager.default.fileExists(atPath: data.path + "/ledger.sqlite-wal"))
        for folder in [data, work, URL(fileURLWithPath: cache)] { #expect(try open(below: folder) == []) }

        let keys = root.appendingPathComponent("keys")
        try FileManager.default.createDirectory(
            at: keys, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        let made = try LetheProcess(
            ["keys", keys.path + "/key"], log: root.appendingPathComponent("keys.log"), umask: umask)
        #expect(made.status(within: 10) == 0)
        #expect(try open(below: keys) == [])
    }

    @Test("A data directory of an earlier release is tightened when it is opened")
    func tightened() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 8))
        _ = try cluster.succeed("train", "--wait")
        cluster.stop()
        let folders = [cluster.coordinatorDirectory, cluster.workerDirectory(0)]
        for folder in folders {
            let names = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
            for path in [folder.path] + names.map({ "\(folder.path)/\($0)" }) {
                var status = stat()
                guard stat(path, &status) == 0 else { continue }
                chmod(path, status.st_mode & S_IFMT == S_IFDIR ? 0o755 : 0o644)
            }
            #expect(try !open(below: folder).isEmpty)
        }
        try cluster.startCoordinator()
        try cluster.startWorkers(1)
        for folder in folders { #expect(try open(below: folder) == []) }
    }
}
