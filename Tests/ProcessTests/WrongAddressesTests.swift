import Foundation
import PeerTestSupport
import Testing

@Suite("Several addresses of which some are wrong", .waiting)
struct WrongAddressesTests {
    private static func keys(_ path: String) throws {
        #expect(try lethe(["keys", path]).status == 0)
    }

    private func coordinator(_ folder: URL, model: URL, _ arguments: [String]) throws -> (LetheProcess, String) {
        let file = folder.appendingPathComponent("endpoint")
        try? FileManager.default.removeItem(at: file)
        let process = try LetheProcess(
            [
                "coordinator", "--data", folder.path, "--model", model.path, "--threads", "1", "--precision", "f32",
                "--weight-cache", "none", "--listen", "tcp://127.0.0.1:*", "--partition", "user-hash", "--shards", "1",
            ] + arguments, log: folder.appendingPathExtension("log"))
        var endpoint = ""
        try wait("a coordinator: \(process.logText)") {
            guard let text = try? String(contentsOf: file, encoding: .utf8), text.hasSuffix("\n") else { return false }
            endpoint = text.trimmingCharacters(in: .newlines)
            return true
        }
        return (process, endpoint)
    }

    @Test("Dead, refusing and superseded ones are passed over by client and worker; where all are wrong 77 says why")
    func addresses() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lethe-wrong-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.path
        for name in ["server", "mine", "other"] { try Self.keys("\(path)/\(name)") }
        let secured = ["--keys", "\(path)/server", "--allow"]
        let cluster = try TestCluster(
            settings: ["--partition", "user-hash", "--shards", "1"] + secured + ["\(path)/mine.pub"])
        defer { cluster.stop() }
        let environment = [
            "LETHE_KEYS": "\(path)/mine", "LETHE_COORDINATOR_KEY": "\(path)/server.pub",
            "XDG_STATE_HOME": "\(path)/state",
        ]
        func ask(_ endpoints: String...) throws -> CommandResult {
            try lethe(
                ["status", "--json", "--coordinator", endpoints.joined(separator: ",")], environment: environment)
        }
        // An old copy, of which client and worker know that another one came after it.
        cluster.coordinator?.stop()
        let copy = folder.appendingPathComponent("copy")
        try FileManager.default.copyItem(at: cluster.coordinatorDirectory, to: copy)
        try cluster.startCoordinator()
        #expect(try ask(cluster.endpoint).status == 0)
        let worker = try cluster.startWorker(0, environment: environment)
        try wait("the worker: \(worker.logText)") { worker.logText.contains("connected to cluster") }
        worker.stop()

        let (refusing, refused) = try coordinator(
            folder.appendingPathComponent("refusing"), model: cluster.model, secured + ["\(path)/other.pub"])
        let (old, superseded) = try coordinator(copy, model: cluster.model, secured + ["\(path)/mine.pub"])
        defer { for process in [refusing, old] { process.stop() } }
        let dead = "tcp://127.0.0.1:1"
        let found = try ask(dead, refused, superseded, cluster.endpoint)
        #expect(found.status == 0, "\(found.errors)")

        let allRefuse = try ask(dead, refused)
        #expect(allRefuse.status == 77 && allRefuse.errors.contains("refused this key"), "\(allRefuse.errors)")
        let allOld = try ask(dead, superseded)
        #expect(allOld.status == 77 && allOld.errors.contains("two were started"), "\(allOld.errors)")
        let all = try ask(refused, superseded)
        #expect(all.status == 77 && all.errors.contains("two were started"), "\(all.errors)")
        let single = try ask(superseded)
        #expect(single.status == 77 && single.errors.contains("two were started"), "\(single.errors)")

        // The worker tells the old one, which says so of itself from then on, and ends.
        let again = try cluster.startWorker(
            0, through: [dead, refused, superseded, cluster.endpoint].joined(separator: ","), environment: environment)
        try wait("the worker to pass over: \(again.logText)") { again.logText.contains("connected to cluster") }
        #expect(again.logText.contains("not followed"), "\(again.logText)")
        let fresh = ["XDG_STATE_HOME": "\(path)/fresh"]
        let told = try lethe(
            ["status", "--json", "--coordinator", "\(superseded),\(cluster.endpoint)"],
            environment: environment.merging(fresh) { $1 })
        #expect(told.status == 0, "\(told.errors)")
        #expect(old.status(within: 20) == 77)
    }
}
