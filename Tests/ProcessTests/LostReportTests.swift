import Foundation
import PeerTestSupport
import Testing

@Suite("Reports that cannot be written", .waiting)
struct LostReportTests {
    @Test("A question whose answer is lost has failed, and an order says that it is done all the same")
    func lost() throws {
        let cluster = try TestCluster()
        _ = try cluster.importRatings(Ratings.csv(users: 4))
        let file = cluster.root.appendingPathComponent("r.csv")
        try Data(Ratings.csv(users: 5).utf8).write(to: file)
        func asking(_ arguments: [String]) throws -> CommandResult {
            try lethe(arguments + ["--coordinator", cluster.endpoint], printingTo: "/dev/full")
        }
        for command in [
            ["access", "--user", Ratings.name(1)], ["access", "--user", Ratings.name(1), "--json"],
            ["audit", "--json"],
            ["requests", "--json"], ["adapters", "--json"], ["config", "--json"], ["status"], ["status", "--json"],
            ["import", "--check", "--format", "csv", file.path, "--json"],
            ["forget", "--user", Ratings.name(1), "--dry-run"],
        ] {
            let result = try asking(command)
            #expect(result.status == 1, "\(command): \(result.status) \(result.errors)")
            #expect(result.errors.contains("standard output cannot be written"), "\(command): \(result.errors)")
            #expect(!result.errors.contains("only the report is lost"))
        }
        let prompts = try lethe(
            ["prompts", "--format", "csv", file.path, "--split", "test"], printingTo: "/dev/full")
        #expect(prompts.status == 1, "\(prompts.errors)")

        let forget = try asking(["forget", "--user", Ratings.name(2), "--json"])
        #expect(forget.status == 1 && forget.errors.contains("the data is forgotten"), "\(forget.errors)")
        #expect(try cluster.command("access", "--user", Ratings.name(2)).status == 65)
        #expect(try cluster.command("access", "--user", Ratings.name(4)).status == 65)
        let more = try asking(["import", "--format", "csv", file.path])
        #expect(more.status == 1 && more.errors.contains("the import is done"), "\(more.errors)")
        #expect(try cluster.command("access", "--user", Ratings.name(4)).status == 0)
        let key = cluster.root.appendingPathComponent("key").path
        let keys = try lethe(["keys", key], printingTo: "/dev/full")
        #expect(keys.status == 1 && keys.errors.contains("the keys are written"), "\(keys.errors)")
        #expect(FileManager.default.fileExists(atPath: key + ".pub"))
    }

    @Test("An order whose reader is gone says what it has done")
    func readerIsGone() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (process, output, errors) = (Process(), Pipe(), folder.appendingPathComponent("errors"))
        try Data().write(to: errors)
        process.executableURL = LetheBinary.url
        process.arguments = ["keys", folder.appendingPathComponent("key").path]
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: errors)
        try output.fileHandleForReading.close()
        try process.run()
        process.waitUntilExit()
        let said = try String(contentsOf: errors, encoding: .utf8)
        #expect(process.terminationReason == .exit && process.terminationStatus == 1, "\(process.terminationStatus)")
        #expect(said.contains("the keys are written"), "\(said)")
    }
}
