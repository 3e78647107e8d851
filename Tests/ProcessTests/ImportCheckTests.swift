import Foundation
import PeerTestSupport
import Testing

@Suite("Looking at data before it is imported", .waiting)
struct ImportCheckTests {
    private let shop = "customer_id;product_id;stars;created_at\n"

    /// A shop's files; nobody's fourth customer bought enough.
    private func write(to folder: URL) throws -> (orders: String, products: String) {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let orders = folder.appendingPathComponent("orders.csv")
        let products = folder.appendingPathComponent("products.csv")
        var rows = shop
        for customer in 0..<4 {
            for day in 0..<(customer == 3 ? 2 : 6) {
                rows += "c\(customer);p\(day);\((customer + day) % 5 + 1),5;2024-0\(day + 1)-02T10:00:00+01:00\n"
            }
        }
        rows += "c9;p1;none;2024-01-01\nc8;p2;a secret;2024-01-01\nc7;p77;4;2024-01-01\n"
        try Data(rows.utf8).write(to: orders)
        let titles = (0..<6).map { "p\($0),Lamp &amp; shade \($0)\n" }.joined()
        try Data(("product_id,name\n" + titles).utf8).write(to: products)
        return (orders.path, products.path)
    }

    @Test("The page says what would be taken, refused and asked, and needs no coordinator")
    func page() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lethe-test-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = try write(to: folder)
        let arguments = ["import", "--check", "--format", "csv", files.orders, "--history", "3"]
        let result = try lethe(arguments + ["--json"])
        #expect(result.status == 0, "\(result.errors)")
        let page = result.json
        #expect(page["schema_version"] as? Int == 1)
        #expect(page["rows_kept"] as? Int == 20 && page["rows_refused"] as? Int == 3)
        #expect(page["users"] as? Int == 4 && page["users_with_prompts"] as? Int == 3)
        #expect(page["prompts"] as? [String: Int] == ["train": 3, "validation": 3, "test": 3])
        let refusals = try #require(page["refusals"] as? [[String: Any]])
        #expect(refusals.compactMap { $0["rows"] as? Int } == [2, 1])
        let text = try lethe(arguments)
        let shown = String(decoding: text.output, as: UTF8.self)
        for part in [
            "user from customer_id", "ISO 8601 dates, from 2024-01-02 to 2024-06-02", "decimal comma", "user c9",
        ] {
            #expect(shown.contains(part), "\(part) is missing in \(shown)")
        }
        #expect(shown.contains("tokens and training time are not known") && !shown.contains("secret"))
    }

    @Test("Who is to go to the last slice is looked at, too: a list that is not there is an error, and one is compared")
    func dealing() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lethe-test-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = try write(to: folder)
        let list = folder.appendingPathComponent("leavers.txt")
        try Data("# who said so\nc1\nc3\nc1\nsomebody else\n".utf8).write(to: list)
        let arguments = ["import", "--check", "--format", "csv", files.orders, "--history", "3", "--new-data", "last"]
        let missing = try lethe(arguments + ["--leavers", list.path + ".missing"])
        #expect(missing.status != 0 && missing.errors.contains("leavers.txt.missing"), "\(missing.errors)")
        let page = try lethe(arguments + ["--leavers", list.path, "--json"])
        #expect(page.status == 0, "\(page.errors)")
        let dealing = try #require(page.json["dealing"] as? [String: Any])
        #expect(dealing["to_last"] as? Bool == true)
        #expect(dealing["leavers_listed"] as? Int == 3 && dealing["leavers_found"] as? Int == 2)
        let shown = String(decoding: try lethe(arguments + ["--leavers", list.path]).output, as: UTF8.self)
        #expect(shown.contains("would go to the last slice (--new-data last)") && shown.contains("3, of whom 2 are in"))
        #expect(try lethe(Array(arguments.dropLast(2)) + ["--json"]).json["dealing"] == nil)
    }

    @Test("A check changes nothing, counts tokens with a model, and the import does what it said")
    func nothingChanges() throws {
        let cluster = try TestCluster()
        let files = try write(to: cluster.root.appendingPathComponent("shop"))
        let arguments = ["import", "--format", "csv", files.orders, files.products, "--history", "3"]
        let check = try cluster.command(arguments + ["--check", "--model", cluster.model.path])
        #expect(check.status == 0, "\(check.errors)")
        let tokens = try #require(check.json["tokens"] as? [String: Any])
        #expect((tokens["epoch"] as? Int ?? 0) > 0 && tokens["seconds_of_epoch"] == nil)
        let before = try #require(try cluster.succeed("status")["statistics"] as? [String: Any])
        #expect(before["interactions"] as? Int == 0)
        let done = try cluster.command(arguments)
        #expect(done.status == 0, "\(done.errors)")
        #expect(done.json["prompts"] as? NSDictionary == check.json["prompts"] as? NSDictionary)
        #expect(done.json["likes"] as? NSDictionary == check.json["likes"] as? NSDictionary)
        let after = try #require(try cluster.succeed("status")["statistics"] as? [String: Any])
        #expect(after["interactions"] as? Int == check.json["interactions"] as? Int)
    }

    private static let csv = "user,item,rating,item_title\na,i,4,T\nb,i,2,T\n"
    /// As a frame of zst with one raw block (RFC 8878), in octal escapes.
    private static let zst = { (size: Int) in
        let head = [0x28, 0xB5, 0x2F, 0xFD, 0x20, size, (size << 3 | 1) & 0xFF, size >> 5, 0]
        return "printf '\(head.map { "\\" + String($0, radix: 8) }.joined())'; printf '%s' '\(csv)'"
    }(csv.utf8.count)

    @Test("Standard input is read, packed too", arguments: ["printf '%s' '\(csv)' | gzip", "{ \(zst); }"])
    func standardInput(writing: String) throws {
        let command = "\(writing) | '\(LetheBinary.url.path)' import --check --format csv - --json"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        let page = try #require(try JSONSerialization.jsonObject(with: output) as? [String: Any])
        #expect(page["users"] as? Int == 2)
    }

    @Test("Likes without ratings have a threshold of their own, and a cluster with another one refuses them")
    func implicit() throws {
        let cluster = try TestCluster()
        let file = cluster.root.appendingPathComponent("likes.csv").path
        try Data("user,item,item_title\na,i,T\nb,i,T\n".utf8).write(to: URL(fileURLWithPath: file))
        let check = try cluster.succeed("import", "--check", "--format", "csv", file, "--rating", "1")
        #expect(check["interaction_likes"] as? Int == 2)
        let stars = cluster.root.appendingPathComponent("stars.csv").path
        try Data(Ratings.csv(users: 2).utf8).write(to: URL(fileURLWithPath: stars))
        _ = try cluster.succeed("import", "--format", "csv", stars)
        for more in [[], ["--check"]] {
            let refused = try cluster.command(["import", "--format", "csv", file, "--rating", "1"] + more)
            #expect(refused.status == 64, "\(refused.errors)")
            // Nobody gave a threshold, so none can be left out.
            #expect(refused.errors.contains("give --like-above 3.0 and a --rating above it"), "\(refused.errors)")
            #expect(!refused.errors.contains("leave it out"))
            #expect((refused.json["error"] as? [String: Any])?["code"] as? String == "prompts-differ")
        }
        let done = try cluster.succeed("import", "--format", "csv", file, "--rating", "5", "--like-above", "3")
        #expect(done["rows_new"] as? Int == 2)
    }

    @Test("What differs from the record is refused before a row is read, by the check as by the import")
    func recordedSettings() throws {
        let cluster = try TestCluster()
        let files = try write(to: cluster.root.appendingPathComponent("shop"))
        _ = try cluster.succeed("import", "--format", "csv", files.orders, "--history", "3")
        // Standard input is empty: whoever reads it first has something else to say.
        for path in [files.orders, "-"] {
            for more in [[], ["--check"]] {
                let refused = try cluster.command(["import", "--format", "csv", path, "--history", "5"] + more)
                #expect(refused.status == 64, "\(path) \(more): \(refused.errors)")
                #expect(refused.errors.contains("--history is 3 in this cluster, not 5; leave it out"))
                let error = try #require(refused.json["error"] as? [String: Any])
                #expect(error["code"] as? String == "prompts-differ" && error["kind"] as? String == "usage")
            }
        }
        // One slice: nobody can be dealt to another one.
        for more in [[], ["--check"]] {
            let undealt = try cluster.command(["import", "--format", "csv", files.orders, "--new-data", "last"] + more)
            #expect(undealt.status == 65 && undealt.errors.contains("one slice"), "\(undealt.errors)")
        }
        let page = try cluster.succeed(
            "import", "--check", "--format", "csv", files.orders, "--history", "5", "--change-prompts")
        #expect(page["users_with_prompts"] as? Int == 3)
        #expect((page["prompts"] as? [String: Int])?["train"] == 0)
        let settings = page["settings"] as? [[String: String]] ?? []
        #expect(settings.contains(["name": "history", "value": "5"]))
        let remarks = page["not_known"] as? [String] ?? []
        #expect(remarks.contains { $0.contains("forgotten in this cluster stays out") })
    }

    @Test("Rows that name what a row before them has named are counted, and of events the largest weight counts")
    func repeatedRows() throws {
        let cluster = try TestCluster()
        let file = cluster.root.appendingPathComponent("events.csv").path
        let rows = "u,i,view,2023-01-01\nu,i,purchase,2023-01-02\nu,i,view,2023-01-02\nv,i,view,2023-01-02\n"
        let titled = rows.split(separator: "\n").map { $0 + ",T\n" }.joined()
        try Data(("user,item,event,date,item_title\n" + titled).utf8).write(to: URL(fileURLWithPath: file))
        let arguments = ["import", "--format", "csv", file, "--events", "view=0,cart=1,purchase=5"]
        let page = try cluster.command(arguments + ["--check"]).json
        #expect(page["rows_kept"] as? Int == 4 && page["interactions"] as? Int == 3)
        #expect(page["rows_repeated"] as? Int == 1 && page["interaction_likes"] as? Int == 1)
        for attempt in 0..<2 {
            let done = try cluster.command(arguments)
            #expect(done.status == 0 && done.json["rows_new"] as? Int == (attempt == 0 ? 3 : 0), "\(done.errors)")
            #expect(done.json["rows_corrected"] as? Int == 0)
        }
        let kept = try cluster.succeed("access", "--user", "u")["interactions"] as? [[String: Any]] ?? []
        #expect(kept.compactMap { $0["rating"] as? Double } == [0, 5])
    }

    @Test(
        "Options that contradict each other are wrong arguments",
        arguments: [
            ["--rating", "1", "--events", "view=0"], ["--columns", "event=did"], ["--columns", "rating"],
            ["--columns", "rating=stars", "--rating", "1"], ["--title-column", "a", "--columns", "title=b"],
            ["--events", "view"], ["--rating", "nan"], ["--encoding", "ebcdic"], ["--time-unit", "date"],
        ])
    func contradictions(options: [String]) throws {
        #expect(try lethe(["import", "--check", "--format", "csv", "/nowhere"] + options).status == 64)
    }

    @Test("What keeps an import from its coordinator keeps the check from it")
    func coordinator() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lethe-test-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let check = ["import", "--check", "--format", "csv", try write(to: folder).orders, "--history", "3"]
        #expect(try lethe(check + ["--coordinator", "localhost:7070"]).status == 64)
        #expect(try lethe(check + ["--keys", "/nowhere/key"]).status == 64)
        #expect(try lethe(check + ["--keys", "/nowhere/key", "--coordinator-key", "/nowhere/key.pub"]).status == 65)
        let absent = try lethe(check + ["--coordinator", "ipc://\(folder.path)/nobody"])
        #expect(absent.status == 69 && absent.output.isEmpty, "\(absent.errors)")
    }

    @Test("The help lists the names that are known")
    func help() throws {
        let help = String(decoding: try lethe(["help", "import"]).output, as: UTF8.self)
        #expect(["reviewerid", "createdat", "--columns", "stars"].allSatisfy { help.contains($0) })
    }
}
