import Foundation
import PeerTestSupport
import Testing

@Suite("Data in, from the command line", .waiting)
struct DataInTests {
    @Test("Options that are missing beside the recorded ones change nothing; others are refused until asked for")
    func recordedPrompts() throws {
        let cluster = try TestCluster()
        let file = cluster.root.appendingPathComponent("r.csv").path
        try Data(Ratings.csv(users: 6).utf8).write(to: URL(fileURLWithPath: file))
        let first = try cluster.succeed("import", "--format", "csv", file, "--history", "5", "--fraction", "0.9")
        #expect((first["likes"] as? [String: Any])?["train"] is Int)
        #expect(first["files_without_time"] as? [String] == [])
        let again = try cluster.succeed("import", "--format", "csv", file)
        #expect(again["prompts"] as? NSDictionary == first["prompts"] as? NSDictionary)
        #expect(again["shards_changed"] as? [Int] == [] && again["rows_corrected"] as? Int == 0)
        let refused = try cluster.command("import", "--format", "csv", file, "--history", "4")
        #expect(refused.status == 64)
        #expect(refused.errors.contains("--history is 5 in this cluster, not 4"))
        let status = try cluster.succeed("status")
        #expect((status["statistics"] as? [String: Any])?["prompts_change"] == nil)
        _ = try cluster.succeed("import", "--format", "csv", file, "--history", "4", "--change-prompts")
        let changed = try #require(try cluster.succeed("status")["statistics"] as? [String: Any])
        #expect(changed["prompts_change"] != nil)
    }

    @Test("An import that keeps no rating ends with 65 and says why")
    func nothingKept() throws {
        let cluster = try TestCluster()
        let file = cluster.root.appendingPathComponent("r.csv").path
        try Data("user,item,rating,item_title\na,i,much,T\n".utf8).write(to: URL(fileURLWithPath: file))
        let result = try cluster.command("import", "--format", "csv", file)
        #expect(result.status == 65)
        #expect(result.errors.contains("\"much\" is not a number"))
    }

    @Test("A forget file may be UTF-16, and a NUL names nobody")
    func forgetFiles() throws {
        let cluster = try TestCluster()
        _ = try cluster.importRatings(Ratings.csv(users: 3))
        let file = cluster.root.appendingPathComponent("f.txt")
        let bytes = "\(Ratings.name(1))\r\n".utf16.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
        try Data(bytes).write(to: file)
        let unmarked = try cluster.command("forget", "--dry-run", "--file", file.path)
        #expect(unmarked.status == 65 && unmarked.errors.contains("byte order mark"))
        try Data([0xFF, 0xFE] + bytes).write(to: file)
        #expect(try cluster.succeed("forget", "--dry-run", "--file", file.path)["users"] as? Int == 1)
        #expect(try cluster.succeed("forget", "--dry-run", "--user", " \(Ratings.name(1)) ")["users"] as? Int == 1)
    }
}
