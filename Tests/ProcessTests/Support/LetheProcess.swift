import Foundation

/// What a finished command printed.
struct CommandResult {
    var status: Int32
    var output: Data
    var errors: String

    /// The JSON object on standard output.
    var json: [String: Any] {
        (try? JSONSerialization.jsonObject(with: output) as? [String: Any]) ?? [:]
    }
}

enum LetheBinary {
    /// Of the commit before, for tests of upgrades; nil: nobody gave one.
    static let before = ProcessInfo.processInfo.environment["LETHE_BEFORE"].map { URL(fileURLWithPath: $0) }

    /// Beside the test bundle, where SwiftPM puts both.
    static let url: URL = {
        if let path = ProcessInfo.processInfo.environment["LETHE"] { return URL(fileURLWithPath: path) }
        let runner = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        return runner.deletingLastPathComponent().appendingPathComponent("lethe")
    }()
}

/// A `lethe` process that is killed at the latest when the test ends.
final class LetheProcess {
    let process = Process()
    private let log: URL

    /// - Parameters:
    ///   - umask: octal; nil: this process's own.
    ///   - limits: of `ulimit`: "-n 300"; nil: this process's own.
    init(
        _ arguments: [String], log: URL, environment: [String: String] = [:], umask: String? = nil,
        limits: String? = nil, binary: URL = LetheBinary.url
    ) throws {
        self.log = log
        try Data().write(to: log)
        let handle = try FileHandle(forWritingTo: log)
        process.executableURL = binary
        process.arguments = arguments
        let before = [umask.map { "umask \($0); " }, limits.map { "ulimit \($0); " }].compactMap(\.self)
        if !before.isEmpty {
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", before.joined() + "exec \"$0\" \"$@\"", binary.path] + arguments
        }
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardOutput = handle
        process.standardError = handle
        process.standardInput = FileHandle.nullDevice
        try process.run()
    }

    var logText: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

    /// SIGKILL: the process gets no chance to tidy up.
    func kill() {
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// SIGSTOP: it stands still wherever it is, until `resume()`.
    func pause() { Foundation.kill(process.processIdentifier, SIGSTOP) }

    func resume() { Foundation.kill(process.processIdentifier, SIGCONT) }

    func stop() {
        guard process.isRunning else { return }
        process.terminate()
        let deadline = Date().addingTimeInterval(5)
        while process.isRunning, Date() < deadline { Thread.sleep(forTimeInterval: 0.01) }
        if process.isRunning { kill() }
    }

    /// The exit status, or nil when it still runs after so many seconds.
    func status(within seconds: Double) -> Int32? {
        let deadline = Date().addingTimeInterval(seconds)
        while process.isRunning, Date() < deadline { Thread.sleep(forTimeInterval: 0.01) }
        return process.isRunning ? nil : process.terminationStatus
    }

    deinit { if process.isRunning { kill() } }
}

/// Where commands remember the coordinators that they have seen.
private let stateDirectory = FileManager.default.temporaryDirectory.appendingPathComponent(
    "lethe-test-state-\(ProcessInfo.processInfo.processIdentifier)"
).path

/// Runs a command to its end.
///
/// - Parameters:
///   - folder: where it runs; nil: where this process does.
///   - place: what standard output is; nil: what the result holds.
func lethe(
    _ arguments: [String], environment: [String: String] = [:], in folder: URL? = nil, printingTo place: String? = nil,
    binary: URL = LetheBinary.url
) throws -> CommandResult {
    let process = Process()
    process.executableURL = binary
    process.arguments = arguments
    if let folder { process.currentDirectoryURL = folder }
    process.environment = ProcessInfo.processInfo.environment.merging(["XDG_STATE_HOME": stateDirectory]) { $1 }
        .merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    let directory = FileManager.default.temporaryDirectory
    let name = UUID().uuidString
    let (output, errors) = (
        directory.appendingPathComponent(name + ".out"), directory.appendingPathComponent(name + ".err")
    )
    defer {
        try? FileManager.default.removeItem(at: output)
        try? FileManager.default.removeItem(at: errors)
    }
    for file in [output, errors] { try Data().write(to: file) }
    process.standardOutput = try FileHandle(forWritingTo: place.map { URL(fileURLWithPath: $0) } ?? output)
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    process.waitUntilExit()
    return CommandResult(
        status: process.terminationStatus, output: try Data(contentsOf: output),
        errors: try String(contentsOf: errors, encoding: .utf8))
}
