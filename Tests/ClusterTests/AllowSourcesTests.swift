import Foundation
import Messages
import Service
import Testing
import ZeroMQ

@Suite("Where it is read who may connect")
final class AllowSourcesTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
        "lethe-keys-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

    private func make(_ name: String) throws -> CurvePublicKey {
        let pair = try CurveKeyPair.generate()
        try pair.write(to: path(name))
        return pair.publicKey
    }

    private func write(_ text: String, mode: Int = 0o600) throws {
        try Data(text.utf8).write(to: folder.appendingPathComponent("list"))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path("list"))
    }

    @Test func `A bare key may what every key could, and one of --allow-gateway hold a lease too`() throws {
        let (member, front) = (try make("member"), try make("front"))
        let list = try AllowSources(allow: [folder.path], gateways: [path("front.pub")]).read()
        let grant = try #require(list.grant(of: member.text))
        #expect(grant.name == "member" && grant.entry.roles == [.admin, .worker] && grant.entry.worker == .any)
        let other = try #require(list.grant(of: front.text))
        #expect(other.name == "front" && other.entry.roles == [.admin, .worker, .gateway])
        #expect(list.grants.count == 2)
    }

    @Test func `What the list says of a key counts, wherever else the key is named`() throws {
        let member = try make("member")
        try write("query \(member) name=shop\n")
        let list = try AllowSources(allow: [path("member.pub")], list: path("list")).read()
        #expect(list.grants.map(\.entry.roles) == [[.query]] && list.grants.map(\.name) == ["shop"])
    }

    @Test func `Every key has a name of its own, and nobody's is that of those without a key`() throws {
        let (local, other) = (try make("local"), try make("member"))
        try write("query \(try CurveKeyPair.generate().publicKey) name=member\n")
        let list = try AllowSources(allow: [path("local.pub"), path("member.pub")], list: path("list")).read()
        #expect(Set(list.grants.map(\.name)).count == 3)
        #expect(list.grant(of: local.text)?.name == "local \(local.shortName)")
        #expect(list.grant(of: other.text)?.name == "member \(other.shortName)")
    }

    @Test func `A list that others may change, that is no file or is not there is not used`() throws {
        let line = "query \(try CurveKeyPair.generate().publicKey)\n"
        for mode in [0o622, 0o602, 0o620] {
            try write(line, mode: mode)
            #expect(throws: AllowListError.self) { try AllowSources(list: self.path("list")).read() }
        }
        try write(line, mode: 0o644)
        #expect(try AllowSources(list: path("list")).read().grants.count == 1)
        for name in ["none", ""] {
            #expect(throws: AllowListError.self) { try AllowSources(list: self.path(name)).read() }
        }
    }

    @Test func `The file is changed whole, keeps its mode, and is not changed by what fails`() throws {
        let key = try CurveKeyPair.generate().publicKey
        let file = AllowListFile(path("list"))
        #expect(throws: AllowListError.self) { try file.change(makesFile: false) { _ in } }
        try file.change(makesFile: true) { try $0.allow(KeyEntry(key: key, roles: [.audit], name: "a")) }
        let made = try FileManager.default.attributesOfItem(atPath: path("list"))
        #expect(made[.posixPermissions] as? NSNumber == 0o600)
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path("list"))
        let before = try String(contentsOfFile: path("list"), encoding: .utf8)
        let other = try CurveKeyPair.generate().publicKey
        #expect(throws: AllowListError.self) {
            try file.change(makesFile: true) { text in
                try text.allow(KeyEntry(key: other, roles: [.audit]))
                try text.allow(KeyEntry(key: other, roles: [.audit], name: "a"))
            }
        }
        #expect(try String(contentsOfFile: path("list"), encoding: .utf8) == before)
        try file.change(makesFile: false) { text in #expect(text.revoke("a")?.key == key) }
        let after = try FileManager.default.attributesOfItem(atPath: path("list"))
        #expect(after[.posixPermissions] as? NSNumber == 0o644)
        #expect(try AllowSources(list: path("list")).read().grants.isEmpty)
        // Nothing is left beside it.
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["list"])
    }

    @Test func `At no moment has the changed file another mode than before`() throws {
        try write("# nobody\n", mode: 0o640)
        let path = path("list")
        let (seen, isOver) = (Locked<Set<mode_t>>([]), Locked(false))
        let (looks, over) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        Thread {
            while !isOver.withLock({ $0 }) {
                var status = stat()
                if stat(path, &status) == 0 { _ = seen.withLock { $0.insert(status.st_mode & 0o7777) } }
                looks.signal()
            }
            over.signal()
        }.start()
        looks.wait()
        for number in 0..<20 {
            let key = try CurveKeyPair.generate().publicKey
            try AllowListFile(path).change(makesFile: false) {
                try $0.allow(KeyEntry(key: key, roles: [.query], name: "n\(number)"))
            }
        }
        isOver.withLock { $0 = true }
        over.wait()
        #expect(seen.withLock { $0 } == [0o640])
    }

    @Test func `A list of one's own with another group is changed, and keeps the group`() throws {
        var groups = [gid_t](repeating: 0, count: 256)
        let count = Int(getgroups(Int32(groups.count), &groups))
        // Root may give a file to any group, others to those that they are in.
        let own = groups.prefix(max(0, count)).first { $0 != getegid() }
        guard let group = geteuid() == 0 ? 54_321 : own else { return }
        try write("# nobody\n", mode: 0o640)
        #expect(chown(path("list"), geteuid(), group) == 0)
        let key = try CurveKeyPair.generate().publicKey
        try AllowListFile(path("list")).change(makesFile: false) { try $0.allow(KeyEntry(key: key, roles: [.data])) }
        var status = stat()
        #expect(stat(path("list"), &status) == 0)
        #expect(status.st_gid == group && status.st_uid == geteuid() && status.st_mode & 0o7777 == 0o640)
        #expect(try AllowSources(list: path("list")).read().grants.map(\.entry.key) == [key])
    }

    @Test func `What another user's change left when it was killed is in nobody's way`() throws {
        try write("# nobody\n")
        let left = path("list") + ".lethe-temporary"
        try Data("half".utf8).write(to: URL(fileURLWithPath: left))
        chmod(left, 0o444)
        let key = try CurveKeyPair.generate().publicKey
        try AllowListFile(path("list")).change(makesFile: false) { try $0.allow(KeyEntry(key: key, roles: [.data])) }
        #expect(try AllowSources(list: path("list")).read().grants.map(\.entry.key) == [key])
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["list"])
    }

    @Test func `Through a link the file that it leads to is changed, and the link stays`() throws {
        try write("# nobody\n")
        try FileManager.default.createSymbolicLink(atPath: path("link"), withDestinationPath: path("list"))
        let key = try CurveKeyPair.generate().publicKey
        try AllowListFile(path("link")).change(makesFile: false) { try $0.allow(KeyEntry(key: key, roles: [.data])) }
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: path("link")) == path("list"))
        #expect(try AllowSources(list: path("list")).read().grants.map(\.entry.key) == [key])
    }

    @Test func `Two who change it at once both do`() async throws {
        let keys = try (0..<8).map { _ in try CurveKeyPair.generate().publicKey }
        let path = path("list")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for key in keys {
                group.addTask {
                    try AllowListFile(path).change(makesFile: true) {
                        try $0.allow(KeyEntry(key: key, roles: [.query]))
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(Set(try AllowSources(list: path).read().grants.map(\.entry.key)) == Set(keys))
    }
}
