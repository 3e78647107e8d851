import Foundation
import Messages
import Testing

@Suite("Notes that lead a user's clients to a coordinator on loopback")
final class LocalCoordinatorsTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
        "lethe-local-\(UUID().uuidString)")
    private var environment: [String: String] { ["XDG_STATE_HOME": folder.path + "/a", "HOME": folder.path + "/b"] }
    private let place = "127.0.0.1-7070"

    deinit { try? FileManager.default.removeItem(at: folder) }

    private func files() -> [String] {
        let all = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
        return all.map { folder.path + "/" + $0 }.filter { $0.hasSuffix(place) }
    }

    @Test func `A note leads to the data folder while its coordinator lives, in whichever environment`() throws {
        var notes = LocalCoordinators(environment: environment).announce("/data of it", at: place)
        #expect(notes.count == 2)
        for environment in [environment, ["HOME": folder.path + "/b"], ["XDG_STATE_HOME": folder.path + "/a"]] {
            let keys = try #require(LocalCoordinators(environment: environment).keys(at: place))
            #expect(
                keys.own == "/data of it/local-client.key" && keys.coordinator == "/data of it/local-coordinator.key")
            #expect(LocalCoordinators(environment: environment).keys(at: "127.0.0.1-7071") == nil)
        }
        #expect(LocalCoordinators(environment: [:]).keys(at: place) == nil)
        for file in files() {
            let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? NSNumber
            #expect(mode == 0o600)
        }
        notes = []
        #expect(LocalCoordinators(environment: environment).keys(at: place) == nil)
        #expect(files().isEmpty)
    }

    @Test func `What a killed coordinator left, what others may write and what is no note says nothing`() throws {
        let local = LocalCoordinators(environment: environment)
        var notes = local.announce("/data", at: place)
        let paths = files()
        notes = []
        #expect(notes.isEmpty && paths.count == 2)
        for path in paths { try Data("/data\n".utf8).write(to: URL(fileURLWithPath: path)) }
        #expect(local.keys(at: place) == nil)
        notes = local.announce("/data", at: place)
        #expect(notes.count == 2 && local.keys(at: place) != nil)
        for path in paths { #expect(chmod(path, 0o622) == 0) }
        #expect(local.keys(at: place) == nil)
        for path in paths { #expect(chmod(path, 0o600) == 0) }
        #expect(local.keys(at: place) != nil)
        for text in ["", "/data", "data\n", "\n"] {
            for path in paths {
                let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
                try handle.truncate(atOffset: 0)
                try handle.write(contentsOf: Data(text.utf8))
                try handle.close()
            }
            #expect(local.keys(at: place) == nil, "\(text)")
        }
    }

    @Test func `Where there is no place for notes there are none`() {
        #expect(LocalCoordinators(environment: [:]).announce("/data", at: place).isEmpty)
        let environment = ["HOME": "/proc/nowhere"]
        #expect(LocalCoordinators(environment: environment).announce("/data", at: place).isEmpty)
    }
}
