import Foundation
import PeerTestSupport
import Testing

@Suite("Every option at the edges of what it takes", .waiting)
struct OptionBoundsTests {
    private static let edges = [
        "-1", "0", "-9223372036854775808", "9223372036854775807", "9223372036854775808", "18446744073709551615",
        "1e308",
        "nan", "inf", "-inf", "", "text", "1.5",
    ]

    /// Every option with every edge; without, each option has some of them and each edge some options.
    private static let isFull = ProcessInfo.processInfo.environment["LETHE_TEST_FULL"] != nil

    /// A number option with its value in place of VALUE. Whatever stands there, the rest cannot succeed.
    private static let commands: [[String]] = {
        let coordinator = ["coordinator", "--data", "/proc/nowhere", "--model", "/nowhere"]
        let graph = ["bench", "graph", "--format", "csv", "/nowhere"]
        let prompts = ["prompts", "--format", "csv", "/nowhere", "--split", "train"]
        func each(_ base: [String], _ options: [String]) -> [[String]] { options.map { base + ["--\($0)=VALUE"] } }
        return each(
            coordinator,
            [
                "shards", "seed", "epochs", "batch", "learning-rate", "warmup-steps", "weight-decay", "rank", "alpha",
                "embedding-layer", "threads", "partition", "rule", "method", "precision",
            ])
            + each(
                prompts,
                [
                    "history", "like-above", "fraction", "validation-fraction", "test-fraction", "sample-seed",
                    "title-bytes", "rating", "events", "columns", "encoding", "time-unit",
                ])
            + each(["worker", "--model", "/nowhere", "--data", "/proc/nowhere"], ["threads", "precision"])
            + each(["score", "--model", "/nowhere", "--prompts", "/nowhere"], ["threads"])
            + each(
                ["bench", "train", "--model", "/nowhere", "--prompts", "/nowhere"], ["threads", "limit", "batch"])
            + each(["bench", "rank", "--model", "/nowhere", "--prompts", "/nowhere"], ["candidates"])
            + each(
                graph,
                [
                    "like-above", "seeds", "width", "layers", "epochs", "learning-rate", "regularisation", "test-share",
                    "damping", "tolerance", "threads", "forget",
                ])
    }()

    @Test("An edge value ends with status 64 or 65 and a text, never with a signal", arguments: commands)
    func edges(_ command: [String]) throws {
        let kind = Self.commands.firstIndex(of: command) ?? 0
        for (number, edge) in Self.edges.enumerated() where Self.isFull || (number + kind) % 4 == 0 {
            let result = try lethe(command.map { $0.replacingOccurrences(of: "VALUE", with: edge) })
            #expect([64, 65].contains(result.status), "\(command.last ?? "") \(edge): \(result.status)")
            #expect(!result.errors.isEmpty)
        }
    }

    @Test(
        "What is outside an option's bounds is refused by its name, before anything is opened",
        arguments: [
            ("epochs", "9223372036854775807"), ("batch", "9223372036854775807"), ("rank", "9223372036854775807"),
            ("epochs", "0"), ("shards", "0"), ("shards", "65537"), ("threads", "9223372036854775807"), ("alpha", "nan"),
            ("learning-rate", "inf"), ("learning-rate", "0"), ("weight-decay", "-1"), ("warmup-steps", "-1"),
            ("embedding-layer", "-1"),
        ])
    func named(_ option: String, _ value: String) throws {
        let result = try lethe(["coordinator", "--data", "/proc/no", "--model", "/nowhere", "--\(option)=\(value)"])
        #expect(result.status == 64)
        #expect(result.errors.contains("--\(option) must be from"), "\(result.errors)")
        let help = try lethe(["coordinator", "--help"])
        #expect(String(decoding: help.output, as: UTF8.self).contains("from 1 to 10000"))
    }

    @Test(
        "The same in a configuration file", arguments: ["shards", "epochs", "batch", "rank", "alpha", "learning_rate"])
    func file(_ key: String) throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("lethe-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: file) }
        for value in ["-1", "0", "9223372036854775807", "9223372036854775808", "1e999", "\"text\"", "[]"] {
            try Data("{\"data\":\"/proc/no\",\"model\":\"/nowhere\",\"\(key)\":\(value)}".utf8).write(to: file)
            let result = try lethe(["coordinator", "--config", file.path])
            #expect([64, 65].contains(result.status), "\(key) \(value): \(result.status) \(result.errors)")
        }
    }

    @Test(
        "Clients refuse before they connect",
        arguments: [
            ["evaluate", "--attention=x"], ["evaluate", "--attention=nan:1"], ["evaluate", "--attention=1:0"],
            ["evaluate", "--attention=1:9223372036854775807"], ["evaluate", "--attention=1e308:1"],
            ["evaluate", "--compare", "--seeds=0"], ["evaluate", "--compare", "--limit=-1"],
            ["evaluate", "--compare", "--epochs=9223372036854775807"], ["evaluate", "--compare", "--sequence=-1"],
            ["audit", "--after=-1"], ["audit", "--after=9223372036854775807"],
            ["query", "--user", "u", "--top=0"], ["query", "--user", "u", "--top=-9223372036854775808"],
            ["query", "--user", "u", "--top=9223372036854775807"],
        ])
    func clients(_ command: [String]) throws {
        let result = try lethe(command + ["--coordinator", "tcp://127.0.0.1:1"])
        #expect(result.status == 64, "\(result.errors)")
        if command.contains("--attention=x") { #expect(result.errors.contains("TAU:N")) }
    }

    @Test(
        "A missing file is one clear line and status 65",
        arguments: [
            ["worker", "--model", "/nope"], ["score", "--model", "/nope", "--prompts", "/nope"],
            ["coordinator", "--data", "/tmp/lethe-none", "--model", "/nope"],
            ["coordinator", "--config", "/nope"], ["evaluate", "--compare", "--report", "/nope"],
            ["import", "--format", "csv", "/nope"], ["forget", "--file", "/nope"],
            ["status", "--keys", "/nope", "--coordinator-key", "/nope"],
        ])
    func missing(_ command: [String]) throws {
        let result = try lethe(command)
        #expect(result.status == 65, "\(command): \(result.errors)")
        #expect(result.errors.contains("/nope"))
        #expect(result.errors.split(separator: "\n").filter { $0.hasPrefix("error:") }.count == 1, "\(result.errors)")
    }

    @Test(
        "A master key or a folder of keys that cannot be meant is refused by its option's name",
        arguments: [
            ("master-key", ""), ("master-key", "fd:"), ("master-key", "fd:-1"), ("master-key", "fd:2147483648"),
            ("master-key", "fd:three"), ("keys-dir", ""),
        ])
    func keys(_ option: String, _ value: String) throws {
        let result = try lethe([
            "coordinator", "--data", "/proc/nowhere", "--model", "/nowhere", "--\(option)=\(value)",
        ])
        #expect(result.status == 64)
        #expect(result.errors.contains("--\(option)"), "\(result.errors)")
    }

    @Test("An embedding layer or a rank that the model does not have is refused at the start")
    func model() throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("lethe-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        let model = root.appendingPathComponent("model")
        try TinyModelDirectory.write(to: model)
        for (option, value) in [("embedding-layer", "99"), ("rank", "65")] {
            let result = try lethe([
                "coordinator", "--data", root.appendingPathComponent("data").path, "--model", model.path,
                "--weight-cache",
                "none", "--\(option)", value,
            ])
            #expect(result.status == 64)
            #expect(result.errors.contains("--\(option) must be from"), "\(result.errors)")
        }
    }
}
