import Foundation
import Testing

/// The compiler keeps a room from naming one below it; what a room may know beside these, such as files and sockets, is
/// written down here.
@Suite("Rooms")
struct RoomTests {
    private static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Sources")

    /// The Swift files below a folder of `Sources`: names and contents.
    private func files(of room: String) throws -> [(name: String, text: String)] {
        let root = Self.sources.appendingPathComponent(room)
        let paths = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)
        var found: [(name: String, text: String)] = []
        while let file = paths?.nextObject() as? URL {
            guard file.pathExtension == "swift" else { continue }
            found.append((file.lastPathComponent, try String(contentsOf: file, encoding: .utf8)))
        }
        #expect(!found.isEmpty, "\(room) has no files")
        return found
    }

    /// Modules that the files below a folder of `Sources` import.
    private func imports(of room: String) throws -> Set<String> {
        var found: Set<String> = []
        for file in try files(of: room) {
            for line in file.text.split(separator: "\n") {
                let words = line.split(separator: " ")
                if let index = words.firstIndex(of: "import"), index + 1 < words.count, !line.hasPrefix("//"),
                    index == 0 || words[0].hasPrefix("@")
                {
                    found.insert(String(words[index + 1]))
                }
            }
        }
        return found
    }

    @Test("The coordinator's logic knows messages and nothing else: no files, no sockets, no clock, no database")
    func coordination() throws {
        #expect(try imports(of: "Cluster/Coordination") == ["Messages"])
    }

    @Test("One type of the messages' room reads and writes files, and the coordinator's logic does not name it")
    func filesBesideMessages() throws {
        let access = ["FileManager", "AtomicFile", "PrivateFiles", "LockFile", "FileHandle", "contentsOf:", "fopen("]
        let reading = try files(of: "Cluster/Messages").filter { file in access.contains { file.text.contains($0) } }
        #expect(reading.map(\.name) == ["GenerationMemory.swift"])
        for file in try files(of: "Cluster/Coordination") {
            #expect(!file.text.contains("GenerationMemory"), "\(file.name)")
        }
    }

    @Test(
        "Only the ledger and the service that owns it know the database",
        arguments: ["Worker", "Client", "Serving", "Gateway"])
    func database(room: String) throws {
        // A room and everything that it leads to.
        let folders = [
            "Messages": "Cluster/Messages", "Ledger": "Cluster/Ledger", "Coordination": "Cluster/Coordination",
            "Serving": "Cluster/Serving", "Service": "Cluster/Service", "Worker": "Cluster/Worker",
            "Client": "Cluster/Client", "Gateway": "Gateway",
            "Experiments": "Experiments", "Unlearning": "Unlearning",
            "Recommendation": "Recommendation", "LanguageModels": "LanguageModels", "Files": "Files",
            "Compute": "Compute", "ZeroMQ": "ZeroMQ",
        ]
        var (known, waiting): (Set<String>, [String]) = ([], [room])
        while let next = waiting.popLast() {
            guard known.insert(next).inserted, let folder = folders[next] else { continue }
            waiting += try imports(of: folder)
        }
        #expect(known.contains("Messages") && known.contains("Unlearning"))
        #expect(known.isDisjoint(with: ["GRDB", "SQLite3", "Ledger", "Coordination", "Service"]))
    }

    @Test("Sockets are known where messages are sent and received, and nowhere else")
    func sockets() throws {
        for room in ["Cluster/Messages", "Cluster/Ledger", "Cluster/Serving", "Unlearning", "LanguageModels"] {
            #expect(try !imports(of: room).contains("ZeroMQ"), "\(room)")
        }
    }
}
