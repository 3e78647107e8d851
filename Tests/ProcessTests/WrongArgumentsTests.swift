import Foundation
import PeerTestSupport
import Testing

@Suite("Wrong arguments", .waiting)
struct WrongArgumentsTests {
    /// Every command, as the parser itself lists them.
    private static let commands: [[String]] = {
        guard let help = try? lethe(["--experimental-dump-help"]).json["command"] as? [String: Any] else { return [] }
        func paths(_ command: [String: Any], _ path: [String]) -> [[String]] {
            let children = (command["subcommands"] as? [[String: Any]] ?? []).flatMap { child in
                (child["commandName"] as? String).map { $0 == "help" ? [] : paths(child, path + [$0]) } ?? []
            }
            return [path] + children
        }
        return paths(help, [])
    }()

    @Test("With --json whatever the parser refuses is an object on standard output")
    func unknownOption() throws {
        #expect(Self.commands.count > 25)
        for command in Self.commands {
            let result = try lethe(command + ["--no-such-option", "--json"])
            #expect(result.status == 64, "\(command): \(result.status)")
            #expect(
                result.json["schema_version"] as? Int == 1,
                "\(command): \(String(decoding: result.output, as: UTF8.self))")
            let error = try #require(result.json["error"] as? [String: Any], "\(command)")
            #expect(error["kind"] as? String == "usage" && error["code"] as? String == "usage")
            #expect(error["status"] as? Int == 64)
            #expect((error["message"] as? String)?.isEmpty == false)
            #expect(result.errors.hasPrefix("error: "), "\(command): \(result.errors)")
            #expect(!result.errors.contains("Error:"))
        }
    }

    @Test(
        "So is what a command refuses of its options together, of their values and of what is missing",
        arguments: [
            ["query"], ["query", "--user", "u"], ["query", "--user", "u", "--top", "0"],
            ["query", "--user", "u", "--candidates", "5"], ["query", "--user", "u", "--candidates", "0", "--top", "1"],
            ["query", "--user", "u", "--candidates", "all", "--top", "1", "--limit", "9"],
            ["query", "--user", "u", "--candidates", "all", "--top", "1", "--item", "i"],
            ["query", "--user", "u", "--candidates", "file", "--top", "1", "--limit", "9"], ["evaluate", "--quick"],
            ["audit", "--after=-1"], ["forget"], ["access"], ["score"], ["prompts"], ["coordinator"],
            ["coordinator", "--data", "/proc/no", "--model", "/no", "--shards", "many"], ["worker"], ["keys"],
            ["config", "--config", "/no"], ["bench", "train"], ["no-such-command"],
            ["coordinator", "--data", "/proc/no", "--model", "/no", "--epochs", "0"],
        ])
    func validation(_ command: [String]) throws {
        let result = try lethe(command + ["--json"])
        #expect(result.status == 64, "\(result.status) \(result.errors)")
        let error = try #require(result.json["error"] as? [String: Any], "\(result.errors)")
        #expect(error["kind"] as? String == "usage" && error["code"] as? String == "usage")
        #expect(result.errors.hasPrefix("error: "), "\(result.errors)")
        #expect(try lethe(command).output.isEmpty)
    }

    @Test(
        "A value out of bounds and a noun that is none are wrong arguments wherever prompts are made",
        arguments: [
            ["--history", "0"], ["--history", "1001"], ["--history=-1"], ["--fraction", "2"], ["--fraction", "nan"],
            ["--validation-fraction", "1.5"], ["--test-fraction=-0.1"], ["--like-above", "nan"],
            ["--like-above", "inf"],
            ["--title-bytes", "63"], ["--title-bytes", "1000001"], ["--domain", ""], ["--domain", ":"],
            ["--domain", "a:b:c"], ["--domain", "a\u{7}b"], ["--negatives", "21"],
        ])
    func bounds(_ options: [String]) throws {
        // Only an import draws.
        let commands =
            [["import", "--check"], ["import"]] + (options[0] == "--negatives" ? [] : [["prompts", "--split", "test"]])
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("lethe-\(UUID().uuidString).csv")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data("user,item,rating,item_title\na,i,4,T\n".utf8).write(to: file)
        let cluster = options == ["--history", "0"] ? try TestCluster() : nil
        for command in commands where command != ["import"] || cluster != nil {
            let place = command[0] == "import" ? ["--coordinator", cluster?.endpoint ?? "tcp://127.0.0.1:1"] : []
            let result = try lethe(command + place + ["--format", "csv", file.path, "--json"] + options)
            #expect(result.status == 64, "\(command) \(options): \(result.status) \(result.errors)")
            let error = try #require(result.json["error"] as? [String: Any], "\(result.errors)")
            #expect(error["kind"] as? String == "usage" && error["code"] as? String == "usage")
        }
    }

    @Test("A command that is not there is named, not the option that it does not have")
    func unknownCommand() throws {
        for command in [["no-such-command"], ["bench", "no-such-bench"]] {
            let error = try lethe(command + ["--json"]).json["error"] as? [String: Any]
            #expect((error?["message"] as? String)?.contains(command.last ?? "") == true, "\(error ?? [:])")
        }
    }

    @Test("Help is no error, and what follows -- asks for nothing")
    func help() throws {
        let help = try lethe(["query", "--help", "--json"])
        #expect(help.status == 0 && String(decoding: help.output, as: UTF8.self).hasPrefix("OVERVIEW"))
        let after = try lethe(["keys", "--no-such-option", "--", "--json"])
        #expect(after.status == 64 && after.output.isEmpty)
    }
}

@Suite("Help", .waiting)
struct HelpTests {
    @Test("Without arguments and with help every command stands in a group, with one line")
    func overview() throws {
        let result = try lethe([], environment: ["COLUMNS": "80"])
        let text = String(decoding: result.output, as: UTF8.self)
        #expect(result.status == 0)
        #expect(try lethe(["help"]).output == result.output)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        #expect(lines.filter { $0.count > 80 } == [])
        for group in ["CLUSTER", "DATA AND TRAINING", "ANSWERS", "FORGETTING AND EVIDENCE", "WATCHING", "LOCAL"] {
            #expect(lines.contains { $0.hasPrefix(group) }, "\(group)")
        }
        // Further lines of an abstract stand where no command does.
        let start = try #require(lines.firstIndex { $0.hasPrefix("CLUSTER") })
        let listed = lines[start...].filter { $0.hasPrefix("  ") && !$0.hasPrefix("  See") }
        #expect(listed.filter { $0.hasPrefix("   ") } == [])
        for name in [
            "coordinator", "worker", "keys", "config", "import", "train", "forget", "verify", "status", "doctor",
        ] {
            #expect(listed.contains { $0.hasPrefix("  \(name) ") }, "\(name)")
        }
    }
}

@Suite("Identifiers that begin with a dash", .waiting)
struct DashedIdentifierTests {
    @Test("They are data for every option that takes identifiers")
    func asked() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(1)
        let ratings = Ratings.csv(users: 6).replacingOccurrences(of: Ratings.name(1), with: "-Ab1")
            .replacingOccurrences(of: ",i4,", with: ",-4,")
        _ = try cluster.importRatings(ratings)
        _ = try cluster.succeed("train", "--wait")
        for spelling in [["--user", "-Ab1"], ["--user=-Ab1"]] {
            #expect(try cluster.command(["access"] + spelling).json["user"] as? String == "-Ab1")
            let plan = try cluster.command(["forget", "--dry-run"] + spelling)
            #expect(plan.json["users"] as? Int == 1, "\(plan.errors)")
            let answer = try cluster.command(["query"] + spelling + ["--item", "i0", "-4", "i7"])
            #expect(
                (answer.json["items"] as? [[String: Any]])?.compactMap { $0["item"] as? String } == ["i0", "-4", "i7"])
        }
        let both = try cluster.succeed("query", "--user", Ratings.name(2), "-Ab1", "--top", "1")
        #expect(
            (both["answers"] as? [[String: Any]])?.compactMap { $0["user"] as? String } == [Ratings.name(2), "-Ab1"])
        #expect(try cluster.command("forget", "--interaction", "-Ab1:i7", "--dry-run").status == 0)
        #expect(try cluster.command("verify", "--request", "-none").status == 65)
        #expect(try cluster.command("forget", "--user", "-Ab1", "--request-id", "-r1", "--wait").status == 0)
        #expect(try cluster.command("verify", "--request", "-r1").status == 0)
        // Options are not taken for identifiers.
        let missing = try cluster.command("forget", "--user", "--wait")
        #expect(missing.status == 64 && missing.errors.contains("--user"), "\(missing.errors)")
        #expect(try cluster.command("access", "--user", "-x", "y").status == 64)
    }
}
