import Foundation
import Testing

/// The compiler keeps a room from naming one below it; what a room may know beside these, such as files and sockets, is
/// written down here.
@Suite("Rooms")
struct RoomTests {
    private static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Sources")

    /// Modules that the files below a folder of `Sources` import.
    private func imports(of room: String) throws -> Set<String> {
        let root = Self.sources.appendingPathComponent(room)
        let files = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil)
        var found: Set<String> = []
        var count = 0
        while let file = files?.nextObject() as? URL {
            guard file.pathExtension == "swift" else { continue }
            count += 1
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                let words = line.split(separator: " ")
                if let index = words.firstIndex(of: "import"), index + 1 < words.count, !line.hasPrefix("//"),
                    index == 0 || words[0].hasPrefix("@")
                {
                    found.insert(String(words[index + 1]))
                }
            }
        }
        #expect(count > 0, "\(room) has no files")
        return found
    }

    @Test("The coordinator's logic knows messages and nothing else: no files, no sockets, no clock, no database")
    func coordination() throws {
        #expect(try imports(of: "Cluster/Coordination") == ["Messages"])
    }

    @Test("Only the ledger and the service that owns it know the database", arguments: ["Worker", "Client", "Serving"])
    func database(room: String) throws {
        // A room and everything that it leads to.
        let folders = [
            "Messages": "Cluster/Messages", "Ledger": "Cluster/Ledger", "Coordination": "Cluster/Coordination",
            "Serving": "Cluster/Serving", "Service": "Cluster/Service", "Worker": "Cluster/Worker",
            "Client": "Cluster/Client", "Experiments": "Experiments", "Unlearning": "Unlearning",
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
