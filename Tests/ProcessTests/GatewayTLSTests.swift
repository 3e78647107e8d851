import Foundation
import PeerTestSupport
import Testing

/// A program of this machine; nil: there is none.
private func program(_ name: String) -> URL? {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        .map { URL(fileURLWithPath: "\($0)/\(name)") }
        .first { FileManager.default.isExecutableFile(atPath: $0.path) }
}

@Suite(
    "A gateway that encrypts", .waiting,
    .enabled(if: program("openssl") != nil && program("curl") != nil, "there is no openssl, or no curl"))
struct GatewayTLSTests {
    private static func run(_ name: String, _ arguments: [String]) throws -> (status: Int32, printed: String) {
        let executable: URL = try #require(program(name))
        let process = Process()
        process.executableURL = executable
        process.arguments = arguments
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let printed = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, printed)
    }

    /// Of localhost, signed by its own key.
    private static func certificate(_ name: String, in folder: URL) throws -> (file: String, key: String) {
        let (file, key) = (
            folder.appendingPathComponent("\(name).pem").path, folder.appendingPathComponent("\(name).key").path
        )
        let made = try run(
            "openssl",
            [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", file, "-days", "2", "-subj",
                "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
            ])
        try #require(made.status == 0)
        return (file, key)
    }

    @Test("Whoever trusts its certificate and has a token is answered, and nothing is in the clear")
    func encrypted() throws {
        let cluster = try TestCluster()
        let certificate = try Self.certificate("gateway", in: cluster.root)
        let made = try lethe(["gateway", "token", "--role", "query", "--json"]).json
        let tokens = cluster.root.appendingPathComponent("tokens")
        try Data("\(made["line"] as? String ?? "")\n".utf8).write(to: tokens)
        let server = try GatewayProcess(
            cluster,
            arguments: [
                "--listen", "https://127.0.0.1:0", "--tls-cert", certificate.file, "--tls-key", certificate.key,
                "--tokens", tokens.path,
            ])
        #expect(server.url.hasPrefix("https://127.0.0.1:"))
        func ask(_ url: String, _ options: String...) throws -> (status: Int32, printed: String) {
            let usual = ["--silent", "--max-time", "30", "--output", "/dev/null", "--write-out", "%{http_code}"]
            return try Self.run("curl", usual + options + [url])
        }
        let trust = ["--cacert", certificate.file]
        #expect(try ask(server.url + "/healthz", trust[0], trust[1]).printed == "200")
        #expect(try ask(server.url + "/v1/status", trust[0], trust[1]).printed == "401")
        let token = "Authorization: Bearer \(made["token"] as? String ?? "")"
        #expect(try ask(server.url + "/v1/status", trust[0], trust[1], "--header", token).printed == "200")
        let clear = try ask(server.url.replacing("https://", with: "http://") + "/healthz")
        #expect(clear.status != 0 && clear.printed == "000")
        server.process.process.terminate()
        #expect(server.process.status(within: 20) == 0)
    }

    @Test("The key of another certificate is refused before anything listens, as what is no key is")
    func mismatched() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (mine, other) = (try Self.certificate("mine", in: folder), try Self.certificate("other", in: folder))
        let refused = try lethe([
            "gateway", "--listen", "https://127.0.0.1:0", "--tls-cert", mine.file, "--tls-key", other.key,
        ])
        #expect(refused.status == 65, "\(refused.errors)")
        #expect(refused.errors.contains(other.key) && !refused.errors.contains("listens"), "\(refused.errors)")
        #expect(!refused.errors.contains("finishes what it has begun"), "\(refused.errors)")
    }
}
