import Foundation

/// A coordinator and workers as real processes in a folder of their own.
final class TestCluster {
    let root: URL
    let model: URL
    private(set) var coordinator: LetheProcess?
    private(set) var workers: [Int: LetheProcess] = [:]
    private var settings: [String]
    private let limits: String?
    /// That clients are: a coordinator takes none that is newer.
    var client = LetheBinary.url
    private let listening: String
    private(set) var endpoint = ""

    /// - Parameters:
    ///   - limits: of `ulimit`, for the coordinator.
    ///   - isLocal: over `ipc://` instead of a port.
    ///   - listening: where, the first time.
    ///   - opensLoopback: whether peers are taken that are no clients of ours and know nothing of keys.
    init(
        settings: [String] = ["--partition", "user-hash", "--shards", "3", "--epochs", "2"], limits: String? = nil,
        isLocal: Bool = false, listening: String = "tcp://127.0.0.1:*", opensLoopback: Bool = false,
        binary: URL = LetheBinary.url
    ) throws {
        self.listening = listening
        self.limits = limits
        client = binary
        root = FileManager.default.temporaryDirectory.appendingPathComponent("lethe-test-\(UUID().uuidString)")
        model = root.appendingPathComponent("model")
        self.settings = settings + (opensLoopback ? ["--open-loopback"] : [])
        try TinyModelDirectory.write(to: model)
        if isLocal { endpoint = "ipc://" + root.appendingPathComponent("socket").path }
        try startCoordinator(binary: binary)
    }

    deinit {
        stop()
        try? FileManager.default.removeItem(at: root)
    }

    func stop() {
        for worker in workers.values { worker.stop() }
        coordinator?.stop()
    }

    var coordinatorDirectory: URL { root.appendingPathComponent("coordinator") }
    func workerDirectory(_ number: Int) -> URL { root.appendingPathComponent("worker-\(number)") }

    /// Starts the coordinator, the first time on a free port, later on the same one.
    func startCoordinator(arguments: [String] = [], binary: URL = LetheBinary.url) throws {
        let file = coordinatorDirectory.appendingPathComponent("endpoint")
        try? FileManager.default.removeItem(at: file)
        let process = try LetheProcess(
            [
                "coordinator", "--data", coordinatorDirectory.path, "--model", model.path, "--threads", "1",
                "--precision", "f32", "--weight-cache", "none",
                "--listen", endpoint.isEmpty ? listening : endpoint,
            ] + settings + arguments,
            log: root.appendingPathComponent("coordinator-\(UUID().uuidString).log"), limits: limits, binary: binary)
        coordinator = process
        try wait("the coordinator to listen: \(process.logText)") {
            guard process.process.isRunning else { throw TestFailure("the coordinator ended: \(process.logText)") }
            guard let text = try? String(contentsOf: file, encoding: .utf8), text.hasSuffix("\n") else { return false }
            endpoint = text.trimmingCharacters(in: .newlines)
            return true
        }
    }

    /// - Parameter link: the endpoint of a link to the coordinator; nil: the coordinator's own.
    @discardableResult
    func startWorker(
        _ number: Int, through link: String? = nil, arguments: [String] = [], environment: [String: String] = [:],
        binary: URL = LetheBinary.url
    ) throws -> LetheProcess {
        let process = try LetheProcess(
            [
                "worker", "--coordinator", link ?? endpoint, "--model", model.path, "--data",
                workerDirectory(number).path, "--threads", "1", "--precision", "f32", "--weight-cache", "none",
            ] + arguments,
            log: root.appendingPathComponent("worker-\(number)-\(UUID().uuidString).log"), environment: environment,
            binary: binary)
        workers[number] = process
        return process
    }

    func startWorkers(_ count: Int) throws {
        for number in 0..<count { try startWorker(number) }
        try waitForWorkers(count)
    }

    func waitForWorkers(_ count: Int) throws {
        try wait("\(count) workers: \(workers.values.map(\.logText))") { try liveWorkers() == count }
    }

    func liveWorkers() throws -> Int {
        let listed = try command("status").json["workers"] as? [[String: Any]] ?? []
        return listed.filter { $0["state"] as? String == "live" }.count
    }

    /// A client command with `--json`.
    func command(_ arguments: String...) throws -> CommandResult {
        try command(arguments)
    }

    func command(_ arguments: [String]) throws -> CommandResult {
        try lethe(arguments + ["--coordinator", endpoint, "--json"], binary: client)
    }

    /// The same; anything but success is a failure of the test.
    func succeed(_ arguments: String...) throws -> [String: Any] { try succeed(arguments) }

    @discardableResult
    func succeed(_ arguments: [String]) throws -> [String: Any] {
        let result = try command(arguments)
        guard result.status == 0 else {
            throw TestFailure(
                "lethe \(arguments.joined(separator: " ")) ended with \(result.status): \(result.errors)\n"
                    + (coordinator?.logText ?? ""))
        }
        return result.json
    }

    func importRatings(_ csv: String, arguments: [String] = []) throws -> [String: Any] {
        let file = root.appendingPathComponent("ratings.csv")
        try Data(csv.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        return try succeed(["import", "--format", "csv", file.path] + arguments)
    }

    /// Content names of the adapters, by shard.
    func adapterNames() throws -> [Int: String] {
        var names: [Int: String] = [:]
        for adapter in try succeed("adapters", "list")["adapters"] as? [[String: Any]] ?? [] {
            if let shard = adapter["shard"] as? Int { names[shard] = adapter["name"] as? String }
        }
        return names
    }

    /// Files below the cluster's folders whose bytes hold the text.
    func files(copy text: String) throws -> [String] {
        let needle = Data(text.utf8)
        var found: [String] = []
        for folder in try FileManager.default.contentsOfDirectory(at: root, includingPropertiesForKeys: nil)
        where folder.lastPathComponent != "model" {
            var files = [folder]
            if let below = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil) {
                files += below.compactMap { $0 as? URL }
            }
            for file in files {
                guard let data = try? Data(contentsOf: file), data.range(of: needle) != nil else { continue }
                found.append(file.path)
            }
        }
        return found
    }
}

struct TestFailure: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Polls until the condition holds; fails after so many seconds.
func wait(
    _ what: @autoclosure () -> String, seconds: Double = 30, until condition: () throws -> Bool
) throws {
    let deadline = Date().addingTimeInterval(seconds)
    while try !condition() {
        guard Date() < deadline else { throw TestFailure("waited \(seconds) s for \(what())") }
        Thread.sleep(forTimeInterval: 0.03)
    }
}
