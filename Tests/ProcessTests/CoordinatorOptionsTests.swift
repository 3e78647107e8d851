import Foundation
import LanguageModels
import Ledger
import Messages
import Service
import Testing
import Unlearning
import ZeroMQ
import lethe

@Suite("Every option of the coordinator reaches what it is about")
struct CoordinatorOptionsTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("options-\(UUID().uuidString)")

    /// What is said of an option that has not the usual value: on the command line, and in a file.
    private static let said: [String: (arguments: [String], json: String)] = [
        "listen": (["tcp://127.0.0.1:9"], #""tcp://127.0.0.1:9""#), "shards": (["7"], "7"),
        "partition": (["hash"], #""hash""#), "seed": (["18446744073709551615"], "18446744073709551615"),
        "epochs": (["3"], "3"), "batch": (["5"], "5"), "learning_rate": (["0.25"], "0.25"),
        "warmup_steps": (["6"], "6"), "weight_decay": (["0.125"], "0.125"), "schedule": (["linear"], #""linear""#),
        "dropout": (["0.5"], "0.5"), "held_out": (["0.25"], "0.25"), "slices": (["4"], "4"),
        "averaging": (["steps"], #""steps""#), "rank": (["3"], "3"), "alpha": (["9"], "9"),
        "targets": (["k_proj", "o_proj"], #"["k_proj","o_proj"]"#), "rule": (["D"], #""D""#),
        "embedding_layer": (["1"], "1"), "when_no_adapter": (["refuse"], #""refuse""#),
        "while_retraining": (["quarantine"], #""quarantine""#), "method": (["ifru"], #""ifru""#),
        "prepare": (["ifru"], #""ifru""#), "double_check": (["0.5"], "\"0.5\""), "precision": (["bf16"], #""bf16""#),
        "threads": (["1023"], "1023"), "weight_cache": (["/tmp/weights"], #""/tmp/weights""#),
        "keys_dir": (["/tmp/keys"], #""/tmp/keys""#), "expect": (["3"], "3"),
    ]
    /// What another option changes as well.
    private static let following: [String: Set<String>] = ["slices": ["averaging"], "method": ["prepare"]]

    private static let recorded = ClusterConfiguration(
        training: TrainingSpecification(base: "base", precision: .f32),
        embedding: EmbeddingSource(layer: 2, pooling: .mean))

    private var always: [String] { ["--data", folder.path, "--model", "m.gguf"] }

    private func option(_ key: String) -> String { "--" + key.replacing("_", with: "-") }

    private func options(_ arguments: [String], file: String? = nil) throws -> CoordinatorOptions {
        let path = folder.appendingPathComponent("\(UUID().uuidString).json")
        if let file {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try Data(file.utf8).write(to: path)
        }
        return try CoordinatorFlags.parse(arguments).overriding(file: file == nil ? nil : path.path).options()
    }

    /// What is in force, under the names of the configuration file.
    private func inForce(_ options: CoordinatorOptions) throws -> [String: NSObject] {
        let configuration = options.configuration(options.cluster(over: Self.recorded))
        let object = try JSONSerialization.jsonObject(with: ReplyCoding.encode(configuration))
        return try #require(object as? [String: NSObject])
    }

    @Test("What the command line knows the configuration file knows, under the same names")
    func names() throws {
        #expect(try Set(CoordinatorFlags.optionKeys()) == Set(CoordinatorFlags.fileKeys))
        #expect(Set(CoordinatorFlags.fileKeys).count == CoordinatorFlags.fileKeys.count)
        let unprinted: Set = [
            "data", "model", "master_key", "keys", "allow", "allow_gateway", "allow_list", "open_loopback",
            "http",
        ]
        #expect(Set(Self.said.keys).union(unprinted) == Set(CoordinatorFlags.fileKeys))
    }

    @Test(
        "Each option changes what it names, on the command line and in the file alike, and nothing else",
        arguments: said.keys.sorted())
    func reaches(key: String) throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let said = try #require(Self.said[key])
        let usual = try inForce(options(always))
        let line = try inForce(options(always + [option(key)] + said.arguments))
        let changed = Set(usual.keys).union(line.keys).filter { usual[$0] != line[$0] }
        #expect(changed.contains(key) && changed.isSubset(of: (Self.following[key] ?? []).union([key])), "\(changed)")
        #expect(try inForce(options(always, file: "{\"\(key)\": \(said.json)}")) == line)
        // The command line wins.
        let other = try options(always + [option(key)] + said.arguments, file: "{\"\(key)\": \(Self.another(key))}")
        #expect(try inForce(other) == line)
    }

    /// Another value of the same type.
    private static func another(_ key: String) -> String {
        let json = said[key]?.json ?? ""
        if json.hasPrefix("[") { return #"["q_proj"]"# }
        return json.hasPrefix("\"") ? "\"none\"" : "1"
    }

    @Test("What is not printed reaches the options as well")
    func unprinted() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        func path(_ name: String) -> String { folder.appendingPathComponent(name).path }
        for (name, content) in [("master", Data(repeating: 7, count: 32)), ("list", Data("# nobody\n".utf8))] {
            let attributes = [FileAttributeKey.posixPermissions: 0o600]
            #expect(FileManager.default.createFile(atPath: path(name), contents: content, attributes: attributes))
        }
        let pair = try CurveKeyPair.generate()
        try pair.write(to: path("own"))
        try FileManager.default.createDirectory(atPath: path("few"), withIntermediateDirectories: true)
        for isFile in [false, true] {
            func options(_ said: [(key: String, value: String?)]) throws -> CoordinatorOptions {
                if isFile {
                    let members = said.map { key, value in
                        let isList = ["allow", "allow_gateway"].contains(key)
                        return "\"\(key)\": " + (value.map { isList ? "[\"\($0)\"]" : "\"\($0)\"" } ?? "true")
                    }
                    return try self.options(always, file: "{\(members.joined(separator: ", "))}")
                }
                return try self.options(always + said.flatMap { [option($0.key)] + [$0.value].compactMap(\.self) })
            }
            let usual = try options([])
            #expect(usual.masterKey == nil && usual.security == nil && !usual.opensLoopback)
            #expect(usual.dataDirectory.path == folder.path && usual.model == "m.gguf")
            #expect(try options([("master_key", path("master"))]).masterKey != nil)
            #expect(try options([("open_loopback", nil)]).opensLoopback)
            let secured = try options([
                ("keys", path("own")), ("allow", path("own")), ("allow_gateway", path("few")),
                ("allow_list", path("list")),
            ])
            let sources = try #require(secured.security?.sources)
            #expect(secured.security?.keys.publicKey == pair.publicKey)
            #expect(sources.allow == [path("own")] && sources.gateways == [path("few")] && sources.list == path("list"))
        }
    }

    @Test("What is on record is what the next start takes where nothing is said")
    func adopted() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let arguments = Self.said.keys.sorted().flatMap { [option($0)] + (Self.said[$0]?.arguments ?? []) }
        let first = try options(always + arguments)
        let cluster = first.cluster(over: Self.recorded)
        var next = try options(always)
        next.adopt(
            RecordedConfiguration(
                cluster: cluster,
                start: RecordedStart(
                    model: "m.gguf", doubleCheck: first.doubleCheck.text, keysDirectory: "/tmp/keys",
                    expectedWorkers: first.expectedWorkers),
                name: "c"))
        #expect(next.cluster(over: Self.recorded) == cluster)
        let (then, now) = (try inForce(first), try inForce(next))
        // These are said anew each time.
        #expect(then.keys.filter { then[$0] != now[$0] }.sorted() == ["listen", "threads", "weight_cache"])
    }

    @Test("A file with a wrong type, a choice that is none or a key that nobody knows is refused, with its name")
    func wrong() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        for (file, told) in [
            (#"{"shards": "7"}"#, "shards"), (#"{"targets": "q_proj"}"#, "targets"), (#"{"seed": -1}"#, "seed"),
            (#"{"partition": "none"}"#, "none is not one"), (#"{"targets": ["x"]}"#, "x is not one"),
            (#"{"shard": 7}"#, "unknown keys shard"), (#"{"expect": -1}"#, "--expect must be"),
            (#"{"open_loopback": 1}"#, "open_loopback"), (#"{"ifru": 3}"#, "ifru"),
            (#"{"schema_version": 9}"#, "schema_version"),
            ("[]", "no JSON object"),
        ] {
            #expect {
                try options(always, file: file)
            } throws: {
                "\($0)".contains(told)
            }
        }
        #expect(try inForce(options(always, file: #"{"shards": null}"#)) == inForce(options(always)))
    }
}
