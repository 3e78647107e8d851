import Foundation
import PeerTestSupport
import Testing

@Suite("Commands, with and without a cluster", .waiting)
struct CommandTests {
    @Test("Prompts go from the reader to scores without a cluster, and an exported adapter changes them")
    func offline() throws {
        let cluster = try TestCluster()
        let ratings = cluster.root.appendingPathComponent("r.csv")
        try Data(Ratings.csv(users: 8).utf8).write(to: ratings)
        let printed = try lethe(["prompts", "--format", "csv", ratings.path, "--split", "test"])
        #expect(printed.status == 0)
        let lines = printed.output.split(separator: UInt8(ascii: "\n"))
        #expect(lines.count == 8)
        for line in lines {
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any])
            #expect(
                Set(object.keys) == [
                    "id", "instruction", "input", "output", "user", "item", "timestamp", "schema_version",
                ])
            #expect(object["schema_version"] as? Int == 1)
        }
        let prompts = cluster.root.appendingPathComponent("prompts.jsonl")
        try printed.output.write(to: prompts)

        func scores(_ arguments: String...) throws -> [Double] {
            let result = try lethe(
                [
                    "score", "--model", cluster.model.path, "--prompts", prompts.path, "--precision", "f32",
                    "--threads", "1", "--weight-cache", "none",
                ] + arguments)
            #expect(result.status == 0, "\(result.errors)")
            return try result.output.split(separator: UInt8(ascii: "\n")).map { line in
                let object = try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
                #expect(object?["tokens"] as? Int ?? 0 > 0 && object?["schema_version"] as? Int == 1)
                return try #require(object?["margin"] as? Double)
            }
        }
        let base = try scores()
        #expect(base.count == 8)

        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 8))
        _ = try cluster.succeed("train", "--wait")
        let exported = cluster.root.appendingPathComponent("exported").path
        let directories = try #require(
            try cluster.succeed("adapters", "export", exported)["directories"] as? [String])
        #expect(directories.count == 3)
        for directory in directories { #expect(try scores("--adapter", directory) != base) }
    }

    @Test("A ranking leaves out what the user has rated, and agrees with the single questions under one aggregate")
    func ranking() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(2)
        _ = try cluster.importRatings(Ratings.csv(users: 10))
        _ = try cluster.succeed("train", "--wait")
        let user = Ratings.name(2)
        let ranked = try cluster.succeed("query", "--user", user, "--top", "5")
        let items = try #require(ranked["items"] as? [[String: Any]])
        #expect(items.count == 5)
        let margins = items.compactMap { $0["margin"] as? Double }
        #expect(margins == margins.sorted(by: >))
        #expect(ranked["exact"] as? Bool == true)
        #expect((ranked["adapters"] as? [Any])?.count == 3)
        #expect(["history", "equal"].contains(ranked["attention"] as? String ?? ""))
        let names = items.compactMap { $0["item"] as? String }
        let asked = try cluster.command(["query", "--user", user, "--item"] + names).json
        #expect((asked["items"] as? [[String: Any]])?.compactMap { $0["item"] as? String } == names)
        let weights = try #require(asked["adapters"] as? [[String: Any]]).compactMap { $0["weight"] as? Double }
        #expect(abs(weights.reduce(0, +) - 1) < 1e-5)
    }

    @Test("Evaluation covers the aggregate, every adapter, their mean, the base model and one adapter on all data")
    func evaluation() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(2)
        _ = try cluster.importRatings(Ratings.csv(users: 12))
        _ = try cluster.succeed("train", "--wait")
        let report = try cluster.succeed("evaluate", "--split", "test", "--compare")
        let names = try #require(report["variants"] as? [[String: Any]]).compactMap { $0["name"] as? String }
        #expect(report["prompts"] as? Int == 12)
        for name in ["base model", "shard 0", "shard 1", "shard 2", "mean of outputs", "APA(ND)", "APA(D)"] {
            #expect(names.contains(name))
        }
        #expect(names.contains("one adapter on all data"))
        for variant in report["variants"] as? [[String: Any]] ?? [] {
            #expect((0...1).contains(variant["accuracy"] as? Double ?? -1))
        }
    }

    @Test("Methods are compared on the cluster's own data; figures are written and nothing is forgotten")
    func comparison() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(2)
        _ = try cluster.importRatings(Ratings.csv(users: 12))
        _ = try cluster.succeed("train", "--wait")
        let adapters = try cluster.adapterNames()
        let figures = cluster.root.appendingPathComponent("figures")
        let report = try cluster.succeed("evaluate", "--compare", "--quick", "--figures", figures.path)
        let rows = try #require(report["rows"] as? [[String: Any]])
        #expect(Set(rows.compactMap { $0["kind"] as? String }) == ["users:10%", "user"])
        #expect(rows.count == 32)
        #expect(rows.compactMap { $0["failure"] as? String } == [])
        for row in rows where row["method"] as? String == "retrain" {
            let completeness = row["completeness"] as? [String: Any]
            #expect((completeness?["divergence"] as? [String: Any])?["jensen_shannon"] as? Double == 0)
        }
        #expect((report["drift"] as? [Any])?.count == 10)
        for name in ["request-time", "drift", "attention"] {
            let svg = try String(contentsOf: figures.appendingPathComponent("\(name).svg"), encoding: .utf8)
            #expect(svg.hasPrefix("<svg") && svg.hasSuffix("</svg>\n"))
        }
        let document = try String(contentsOf: figures.appendingPathComponent("comparison.md"), encoding: .utf8)
        #expect(document.contains("### Forget `users:10%`") && document.contains("(request-time.svg)"))
        #expect(try cluster.adapterNames() == adapters)
        // What was printed can be shown again, without a coordinator.
        let printed = cluster.root.appendingPathComponent("report.json")
        try JSONSerialization.data(withJSONObject: report).write(to: printed)
        let shown = try lethe(["evaluate", "--compare", "--report", printed.path, "--json"])
        let again = try #require(try JSONSerialization.jsonObject(with: shown.output) as? [String: Any])
        for key in ["rows", "summary", "drift", "sequences"] {
            #expect((again[key] as? NSArray) == (report[key] as? NSArray))
        }
        try Data("{}".utf8).write(to: printed)
        #expect(try lethe(["evaluate", "--compare", "--report", printed.path]).status == 65)
        // Prompts travel, and leave nothing behind but what was there.
        #expect(try cluster.command("evaluate", "--quick").status == 64)
        #expect(try cluster.command("evaluate", "--compare", "--forget", "everything").status == 64)
        let text = try lethe([
            "evaluate", "--compare", "--quick", "--methods", "apa-nd", "--forget", "user", "--sequence", "0",
            "--coordinator", cluster.endpoint,
        ])
        #expect(text.status == 0)
        #expect(String(decoding: text.output, as: UTF8.self).contains("APA(ND)"))
    }

    @Test("A comparison that is stopped prints what it has, and goes on from there without believing damaged files")
    func resumedComparison() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 12))
        _ = try cluster.succeed("train", "--wait")
        let folder = cluster.root.appendingPathComponent("kept")
        let asked = [
            "evaluate", "--compare", "--quick", "--seeds", "6", "--methods", "sisa", "--sequence", "0", "--resume",
            folder.path,
        ]
        func names() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.count == 69 }.sorted()
        }
        let client = try LetheProcess(
            asked + ["--coordinator", cluster.endpoint], log: cluster.root.appendingPathComponent("client.log"))
        try wait("a first case: \(client.logText)") { (try? names().isEmpty) == false }
        // Whatever comes next, this one is not computed to its end.
        cluster.workers[0]?.kill()
        kill(client.process.processIdentifier, SIGINT)
        #expect(client.status(within: 30) == 75)
        #expect(client.logText.contains("cases are missing") && client.logText.contains("SISA"))
        let first = try names()
        #expect((1..<6).contains(first.count))
        // Neither believed nor in the way: one is damaged, one is a stranger's.
        let damaged = folder.appendingPathComponent(first[0])
        try Data("{}".utf8).write(to: damaged)
        try Data("mine".utf8).write(to: folder.appendingPathComponent("notes.txt"))
        try cluster.startWorker(1)
        let result = try cluster.command(asked)
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.errors.contains("\(first[0]): ") && result.errors.contains("notes.txt: "))
        #expect((result.json["missing"] as? [Any])?.isEmpty == true)
        #expect((result.json["cases"] as? [[String: Any]])?.count == 6)
        #expect(try names().count == 6 && names().contains(first[0]))
        // The same again takes no worker.
        cluster.workers[1]?.kill()
        let again = try cluster.command(asked)
        #expect(again.status == 0)
        #expect((again.json["rows"] as? NSArray) == (result.json["rows"] as? NSArray))
        // Without a coordinator: what there is.
        cluster.stop()
        try FileManager.default.removeItem(at: damaged)
        let alone = try lethe(asked + ["--coordinator", cluster.endpoint, "--json"])
        #expect(alone.status == 69)
        #expect((alone.json["missing"] as? [Any])?.count == 1 && alone.json["incomplete"] is String)
        #expect((alone.json["cases"] as? [Any])?.count == 5)
        #expect(try lethe(asked + ["--report", "/nope"]).status == 64)
    }

    @Test("A configuration file stands in for flags; unknown keys and changed settings are refused")
    func configurationFile() throws {
        let cluster = try TestCluster()
        cluster.stop()
        let file = cluster.root.appendingPathComponent("lethe.json")
        func start(_ text: String, _ arguments: String...) throws -> CommandResult {
            try Data(text.utf8).write(to: file)
            return try lethe(["coordinator", "--config", file.path] + arguments)
        }
        let common =
            "\"data\": \"\(cluster.coordinatorDirectory.path)\", \"model\": \"\(cluster.model.path)\", "
            + "\"precision\": \"f32\", \"weight_cache\": \"none\", \"partition\": \"user-hash\", \"listen\": \"tcp://127.0.0.1:*\""
        #expect(try start("{\(common), \"shard\": 3}").status == 65)
        let changed = try start("{\(common), \"shards\": 5}")
        #expect(changed.status == 64)
        #expect(changed.errors.contains("shards"))
        #expect(try start("not json").status == 65)
        // The flag wins over the file: with it the recorded number of shards is back.
        try Data("{\(common), \"shards\": 5}".utf8).write(to: file)
        let log = cluster.root.appendingPathComponent("c.log")
        let process = try LetheProcess(
            ["coordinator", "--config", file.path, "--shards", "3", "--epochs", "2"], log: log)
        try wait("the coordinator to listen: \(process.logText)") { process.logText.contains("listening") }
        process.stop()
    }

    @Test("The doctor finds this machine fit and names what is not")
    func doctor() throws {
        let fit = try lethe(["doctor", "--json"])
        #expect(fit.status == 0, "\(fit.errors)")
        #expect(fit.json["ok"] as? Bool == true)
        let unfit = try lethe(["doctor", "--model", "/nowhere", "--json"])
        #expect(unfit.status == 1)
        let checks = try #require(unfit.json["checks"] as? [[String: Any]])
        #expect(checks.filter { $0["ok"] as? Bool == false }.allSatisfy { $0["fix"] is String })
    }
}
