import Foundation
import Testing

@Suite("lethe keys allow, revoke and list")
final class KeysCommandTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
        "lethe-keys-\(UUID().uuidString)")

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for name in ["anna", "ben"] { #expect(try lethe(["keys", path(name)]).status == 0) }
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    private func keys(_ arguments: String...) throws -> CommandResult {
        try lethe(["keys"] + arguments + ["--json"], environment: ["LETHE_ALLOW_LIST": path("list")])
    }

    private func listed() throws -> [[String: Any]] { try keys("list").json["keys"] as? [[String: Any]] ?? [] }

    @Test func `What is allowed is listed, what is changed keeps its name, what is revoked is gone`() throws {
        let first = try keys("allow", path("anna.pub"), "--role", "query", "forget")
        #expect(first.status == 0 && first.json["new"] as? Bool == true, "\(first.errors)")
        let key = try #require((first.json["allowed"] as? [String: Any])?["key"] as? String)
        let worker = try keys("allow", path("ben.pub"), "--role", "worker", "--worker", "node7", "--name", "b")
        #expect(worker.status == 0, "\(worker.errors)")
        #expect((worker.json["note"] as? String)?.contains("--name node7") == true && first.json["note"] == nil)
        let again = try keys("allow", path("anna.pub"), "--role", "worker", "--role", "audit", "--worker", "any")
        #expect(again.status == 0 && again.json["new"] as? Bool == false)
        let lines = try listed()
        #expect(lines.map { $0["name"] as? String } == ["anna", "b"])
        #expect(lines.map { $0["roles"] as? [String] } == [["worker", "audit"], ["worker"]])
        #expect(lines.map { $0["worker"] as? String } == ["any", "node7"])
        #expect(lines[0]["key"] as? String == key)
        #expect(try keys("revoke", "b").status == 0)
        #expect(try keys("revoke", path("anna.pub")).status == 0)
        #expect(try listed().isEmpty)
        #expect(try keys("revoke", "b").status == 65)
    }

    @Test func `A key is called after its file without its endings, and taken back by that name`() throws {
        for name in ["shop.key", "ops.key", "key"] { #expect(try lethe(["keys", path(name)]).status == 0) }
        for name in ["shop.key", "ops.key", "key"] {
            let allowed = try keys("allow", path(name + ".pub"), "--role", "query")
            #expect(allowed.status == 0, "\(allowed.errors)")
        }
        #expect(try listed().map { $0["name"] as? String } == ["shop", "ops", "key"])
        #expect(try keys("revoke", "shop").status == 0)
        #expect(try keys("revoke", path("ops.key.pub")).status == 0)
        // Put there by a release that left an ending on.
        #expect(try keys("allow", path("ops.key.pub"), "--role", "query", "--name", "ops.key").status == 0)
        #expect(try keys("revoke", "ops").status == 0)
        #expect(try listed().map { $0["name"] as? String } == ["key"])
    }

    @Test(
        "What cannot be put on the list is refused, and nothing is written",
        arguments: [
            (["allow", "anna.pub", "--role", "boss"], 64), (["allow", "anna.pub"], 64),
            (["allow", "anna.pub", "--role", "query", "--worker", "any"], 64),
            (["allow", "nobody.pub", "--role", "query"], 65),
            (["allow", "anna.pub", "--role", "query", "--name", "a b"], 65),
            (["revoke", "anna"], 65), (["list"], 65),
        ])
    func refused(_ arguments: [String], _ status: Int) throws {
        let result = try lethe(
            ["keys"] + arguments.map { $0.hasSuffix(".pub") ? path($0) : $0 } + [
                "--allow-list", path("list"), "--json",
            ])
        #expect(Int(result.status) == status, "\(result.errors)")
        #expect(!FileManager.default.fileExists(atPath: path("list")))
    }

    @Test func `Without a list's name nothing happens, and keys are made as before`() throws {
        #expect(try lethe(["keys", "list"]).status == 64)
        #expect(try lethe(["keys", "make", path("carl")]).status == 0)
        #expect(try lethe(["keys", path("dora")]).status == 0)
    }

    @Test func `A coordinator refuses a list that it does not understand, and one without keys of its own`() throws {
        try Data("query\n".utf8).write(to: folder.appendingPathComponent("list"))
        let start = ["coordinator", "--data", path("data"), "--model", path("none"), "--allow-list", path("list")]
        let result = try lethe(start + ["--keys", path("anna")])
        #expect(result.status == 65 && result.errors.contains("line 1"), "\(result.errors)")
        #expect(try lethe(start).status == 64)
    }
}
