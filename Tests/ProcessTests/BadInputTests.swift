import Foundation
import PeerTestSupport
import Testing
import ZeroMQ

@Suite("Bad input at the command line and at the port", .waiting)
struct BadInputTests {
    @Test("Frames and bytes that are no message leave the coordinator as it was")
    func garbage() throws {
        let cluster = try TestCluster(opensLoopback: true)
        let port = try #require(cluster.endpoint.split(separator: ":").last.flatMap { UInt16($0) })
        var state: UInt64 = 42
        func random() -> UInt8 {
            state = state &* 6_364_136_223_846_793_005 &+ 1
            return UInt8(truncatingIfNeeded: state >> 33)
        }
        // Raw bytes, not even ZeroMQ.
        for _ in 0..<20 {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            _ = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            let bytes = (0..<256).map { _ in random() }
            _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            close(descriptor)
        }
        // Proper ZeroMQ with nonsense inside.
        let dealer = try Socket(Context(), .dealer)
        try dealer.connect(cluster.endpoint)
        for count in 1...60 {
            try dealer.send((0..<(count % 8 + 1)).map { _ in (0..<(count * 5 % 300)).map { _ in random() } })
            try dealer.send([[], [1], Array("hello".utf8), [], Array("{\"body\":{},\"payloads\":[]}".utf8)])
            try dealer.send([[], [9], Array("hello".utf8), [], []])
        }
        try cluster.startWorkers(1)
        #expect(cluster.coordinator?.process.isRunning == true)
    }

    @Test("A worker with another base model is refused by its digest and ends with a status of its own")
    func otherBase() throws {
        let cluster = try TestCluster()
        let other = cluster.root.appendingPathComponent("other")
        try TinyModelDirectory.write(to: other, seed: 2)
        let result = try lethe([
            "worker", "--coordinator", cluster.endpoint, "--model", other.path, "--data",
            cluster.workerDirectory(7).path, "--threads", "1", "--precision", "f32", "--weight-cache", "none",
        ])
        #expect(result.status == 77)
        #expect(result.errors.contains("base"))
        #expect(try cluster.liveWorkers() == 0)
    }

    @Test("Every command says what is wrong and ends with the documented status")
    func statuses() throws {
        let cluster = try TestCluster()
        #expect(try cluster.command("query", "--user", "nobody", "--item", "i1").status == 75)
        #expect(try cluster.command("train").status == 75)
        _ = try cluster.importRatings(Ratings.csv(users: 4))
        #expect(try cluster.command("query", "--user", "nobody", "--item", "i1").status == 65)
        #expect(try cluster.command("query", "--user", Ratings.name(1), "--item", "nothing").status == 65)
        #expect(try cluster.command("query", "--user", Ratings.name(1)).status == 64)
        #expect(try cluster.command("forget", "--user", "nobody", "--wait").status == 65)
        #expect(try cluster.command("forget").status == 64)
        #expect(try cluster.command("forget", "--interaction", "only-a-user").status == 64)
        #expect(try cluster.command("forget", "--file", "/nowhere").status == 65)
        #expect(try cluster.command("import", "--format", "csv", "/nowhere").status == 65)
        #expect(try cluster.command("verify", "--request", "unknown").status == 75)
        let away = try lethe(["status", "--coordinator", "tcp://127.0.0.1:1", "--json"])
        #expect(away.status == 69)
        #expect((away.json["error"] as? [String: Any])?["code"] as? String == "unreachable")
        let base = try lethe([
            "coordinator", "--data", cluster.root.appendingPathComponent("c2").path, "--model", "/nowhere",
        ])
        #expect(base.status == 65)
        let open = try lethe([
            "coordinator", "--data", cluster.root.appendingPathComponent("c3").path, "--model", cluster.model.path,
            "--listen", "tcp://0.0.0.0:*",
        ])
        #expect(open.status != 0 && open.errors.contains("encrypted"))
        // A user who has data, but whom no adapter knows: the base model answers and says so.
        let answer = try cluster.succeed("query", "--user", Ratings.name(1), "--item", "i1")
        #expect(answer["attention"] as? String == "none")
        #expect(answer["exact"] as? Bool == false)
    }

    @Test("Broken lines are counted and named, the rest goes in")
    func brokenLines() throws {
        let cluster = try TestCluster()
        var csv = Ratings.csv(users: 3)
        csv += "only-one-field\nperson-x,i1,not-a-number,5,Film 1\n,i1,3,5,Film 1\n"
        let reply = try cluster.importRatings(csv)
        #expect(reply["rows_refused"] as? Int == 3)
        #expect((reply["refused"] as? [[String: Any]])?.count == 3)
        #expect(reply["rows_new"] as? Int == 45)
        let again = try cluster.importRatings(csv)
        #expect(again["rows_new"] as? Int == 0)
        #expect(again["rows_already_there"] as? Int == 45)
    }

    @Test("Strangers cannot connect to a coordinator that uses keys")
    func keys() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lethe-keys-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = ["coordinator", "member", "stranger"].map { folder.appendingPathComponent($0).path }
        for file in files { #expect(try lethe(["keys", file]).status == 0) }
        let cluster = try TestCluster(settings: ["--keys", files[0], "--allow", files[1] + ".pub"])
        let member = try lethe([
            "status", "--coordinator", cluster.endpoint, "--keys", files[1], "--coordinator-key", files[0] + ".pub",
            "--json",
        ])
        #expect(member.status == 0, "\(member.errors)")
        // Members work through encrypted connections as others do without.
        let environment = ["LETHE_KEYS": files[1], "LETHE_COORDINATOR_KEY": files[0] + ".pub"]
        try cluster.startWorker(0, environment: environment)
        let ratings = folder.appendingPathComponent("r.csv")
        try Data(Ratings.csv(users: 9).utf8).write(to: ratings)
        for command in [["import", "--format", "csv", ratings.path], ["train", "--wait"], ["verify"]] {
            let result = try lethe(command + ["--coordinator", cluster.endpoint], environment: environment)
            #expect(result.status == 0, "\(command): \(result.errors)")
        }
        let stranger = try lethe(
            [
                "doctor", "--coordinator", cluster.endpoint, "--json",
            ], environment: ["LETHE_KEYS": files[2], "LETHE_COORDINATOR_KEY": files[0] + ".pub"])
        #expect(stranger.status == 1)
    }

    @Test("A path of one character is a path like others")
    func shortPaths() throws {
        let cluster = try TestCluster()
        let folder = cluster.root.appendingPathComponent("short")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let csv = Data("user,item,rating,item_title\na,i,4,T\nb,i,2,T\n".utf8)
        for name in ["1", "ö"] { try csv.write(to: folder.appendingPathComponent(name)) }
        for name in ["1", "ö"] {
            let read = try lethe(["import", "--check", "--format", "csv", name, "--json"], in: folder)
            #expect(read.status == 0 && read.json["users"] as? Int == 2, "\(name): \(read.errors)")
        }
        #expect(try lethe(["prompts", "--format", "csv", "1", "--split", "train"], in: folder).status == 0)
        for (format, name) in [("csv", "x"), ("jsonl", "j"), ("recbole", "x"), ("movielens", "u"), ("recbole", "1")] {
            let read = try lethe(["import", "--check", "--format", format, name], in: folder)
            #expect(read.status == 65 && read.errors.hasPrefix("error: "), "\(format) \(name): \(read.errors)")
        }
        // Nobody can make a folder there.
        let worker = try lethe(
            [
                "worker", "--data", "w", "--model", cluster.model.path, "--coordinator", cluster.endpoint, "--threads",
                "1", "--weight-cache", "none",
            ], in: URL(fileURLWithPath: "/proc"))
        #expect(worker.status == 65 && worker.errors.contains("cannot be made"), "\(worker.errors)")
    }
}
