import Foundation
import PeerTestSupport
import Testing

@Suite("Questions about somebody who is not in the ledger", .waiting)
struct GivenHistoryTests {
    private func margins(_ reply: [String: Any]) -> [String: Double] {
        let items = reply["items"] as? [[String: Any]] ?? []
        return Dictionary(
            items.map { ($0["item"] as? String ?? "", $0["margin"] as? Double ?? .nan) }, uniquingKeysWith: { $1 })
    }

    @Test("A user's own ratings as a history get the user's own answer, to the last bit, scored and ranked")
    func sameAnswer() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(1)
        let csv = Ratings.csv(users: 8)
        _ = try cluster.importRatings(csv)
        _ = try cluster.succeed("train", "--wait")
        let user = Ratings.name(2)
        let rows = csv.split(separator: "\n").map { $0.split(separator: ",") }.filter { $0[0] == user }
        let file = cluster.root.appendingPathComponent("history.txt")
        let lines = rows.map { "\($0[1]):\($0[2]):\($0[3])" }
        try Data(("# the newest first\n" + lines.reversed().joined(separator: "\n")).utf8).write(to: file)
        for rest in [["--item", "i1", "i2", "i3"], ["--top", "40"]] {
            // From then on a beginning is kept of these prompts, which changes last bits: both go on from it.
            _ = try cluster.succeed(["query", "--user", user] + rest)
            let known = try cluster.command(["query", "--user", user] + rest)
            let given = try cluster.command(["query", "--history", file.path] + rest)
            #expect(known.status == 0 && given.status == 0, "\(given.errors)")
            #expect(margins(known.json).count >= 3 && margins(known.json) == margins(given.json))
            #expect(given.json["user"] as? String == "" && given.json["attention"] as? String != "none")
        }
        // On the command line.
        let listed = lines.joined(separator: ",")
        let known = try cluster.succeed("query", "--user", user, "--item", "i1")
        #expect(margins(try cluster.succeed("query", "--history", listed, "--item", "i1")) == margins(known))
        let without = try cluster.succeed("query", "--user", user, "--top", "40", "--exclude", "i1", "i2")
        #expect(margins(without)["i1"] == nil && margins(without)["i2"] == nil && !margins(without).isEmpty)
        // Nobody of the ledger was asked about: who is forgotten has no part in it.
        let all = csv.split(separator: "\n").map { $0.split(separator: ",") }
        let others = Set(all.filter { $0[0] != user }.map { $0[1] })
        let kept = rows.filter { others.contains($0[1]) }.map { "\($0[1]):\($0[2]):\($0[3])" }
        _ = try cluster.succeed("forget", "--user", user)
        let after = try cluster.command(["query", "--history", kept.joined(separator: ","), "--item", "i1"])
        #expect(after.status == 0, "\(after.errors)")
    }

    @Test("Unknown items are named, and what cannot be asked is refused with what to do")
    func refused() throws {
        let cluster = try TestCluster()
        _ = try cluster.importRatings(Ratings.csv(users: 8))
        let unknown = try cluster.command("query", "--history", "i1:5,nothing:3", "--item", "i2")
        #expect(unknown.status == 65 && unknown.errors.contains("no item nothing"), "\(unknown.errors)")
        #expect((unknown.json["error"] as? [String: Any])?["code"] as? String == "unknown-item")
        let field = try cluster.command("query", "--user", Ratings.name(1), "--item", "i1", "--where", "year=1990..")
        #expect(field.status == 65 && field.errors.contains("year"), "\(field.errors)")
        let nothing = try cluster.command("query", "--user", Ratings.name(1), "--item", "i1", "--exclude", "i1")
        #expect(nothing.status == 65 && nothing.errors.contains("filter"), "\(nothing.errors)")
        for (arguments, status) in [
            (["--history", "i1:5", "--user", "u"], 64), (["--history", "i1:5:3,i2:4"], 64),
            (["--history", "here"], 65),
            (["--history", "i1:much"], 65), (["--history", "i1:5:noon"], 65), (["--user", "u", "--where", "year"], 64),
            (["--user", "u", "--where", "year=2..1"], 64),
        ] as [([String], Int32)] {
            let result = try cluster.command(["query", "--item", "i2"] + arguments)
            #expect(result.status == status, "\(arguments): \(result.errors)")
        }
        // Of somebody nothing is known of.
        #expect(try cluster.command("query", "--history", "", "--item", "i2").status == 0)
    }

    @Test("Forget requests are listed with their day, as long as one says and as a gateway shows it")
    func requests() throws {
        let cluster = try TestCluster()
        _ = try cluster.importRatings(Ratings.csv(users: 8))
        #expect((try cluster.succeed("requests")["requests"] as? [Any])?.isEmpty == true)
        for number in 1...2 {
            _ = try cluster.succeed("forget", "--user", Ratings.name(number), "--request-id", "-r\(number)")
        }
        let all = try #require(try cluster.succeed("requests")["requests"] as? [[String: Any]])
        #expect(all.map { $0["request"] as? String } == ["-r1", "-r2"])
        func days(_ request: [String: Any]) throws -> Double {
            let texts = ["received", "due"].map { request[$0] as? String ?? "" }
            #expect(texts[0].suffix(13) == texts[1].suffix(13), "the same time of day")
            let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
            let times = try texts.map { try Date($0, strategy: style) }
            return (times[1].timeIntervalSince(times[0]) / 86_400).rounded()
        }
        for request in all {
            #expect(try days(request) == 30)
            #expect(request["overdue"] as? Bool == false)
        }
        let one = try cluster.succeed("requests", "--id", "-r2", "--due-days", "1")
        let named = try #require((one["requests"] as? [[String: Any]])?.first)
        #expect(one["due_days"] as? Int == 1 && one["schema_version"] as? Int == 1)
        #expect(try days(named) == 1)
        try wait("nothing to be pending") {
            (try cluster.succeed("requests", "--pending")["requests"] as? [Any])?.isEmpty == true
        }
        let unknown = try cluster.command("requests", "--id", "r3")
        #expect(unknown.status == 65)
        #expect((unknown.json["error"] as? [String: Any])?["code"] as? String == "unknown-request")
        for wrong in [["--due-days", "0"], ["--due-days", "4000"], ["--id", "-r1", "--pending"]] {
            #expect(try cluster.command(["requests"] + wrong).status == 64, "\(wrong)")
        }
        let text = try lethe(["requests", "--coordinator", cluster.endpoint])
        #expect(String(decoding: text.output, as: UTF8.self).split(separator: "\n").count == 3)
    }
}
