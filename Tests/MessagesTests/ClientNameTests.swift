import ClusterTestSupport
import Foundation
import Messages
import Recommendation
import Testing

@Suite("Names that clients choose")
struct ClientNameTests {
    private static let bad = [
        "", String(repeating: "a", count: 129), String(repeating: "é", count: 65), "a\nb", "a\r", "\u{0}", "a\u{1B}[2J",
        "a\u{85}b", "a\u{2028}b", "a\u{202E}b", "a\u{FEFF}b", "\t",
    ]
    private static let good = ["a", "7", "Jörg's request", "請求", String(repeating: "a", count: 128), "a b:c/d"]

    private func frames(id: String, _ request: ClientRequest) throws -> [[UInt8]] {
        var frames = try request.frames(id: "r")
        frames[3] = Array(id.utf8)
        return frames
    }

    @Test("The id of a request has 1 to 128 bytes and is printable", arguments: bad)
    func badRequest(_ id: String) throws {
        let frames = try frames(id: id, .status)
        #expect(throws: WireError.self) { try PeerMessage(frames: frames) }
    }

    @Test("So has the id of an import", arguments: bad)
    func badImport(_ id: String) throws {
        let rows = ClientRequest.importRows(.init(importID: id, sequence: 0, items: [], interactions: []))
        let finish = ClientRequest.finishImport(.init(importID: id, batches: 1, prompts: PromptConfiguration()))
        for request in [rows, finish] {
            let frames = try request.frames(id: "r")
            #expect(throws: WireError.self) { try PeerMessage(frames: frames) }
        }
    }

    @Test("Other ids are taken as they are", arguments: good)
    func goodRequest(_ id: String) throws {
        #expect(try PeerMessage(frames: frames(id: id, .status)) == .request(id: id, .status))
    }
}
