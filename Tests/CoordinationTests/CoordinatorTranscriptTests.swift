import Foundation
import Testing

/// What the coordinator does, told as stories: every file in `Transcripts` lists events and, behind each, what the
/// coordinator wants done. The text is the test.
///
/// With LETHE_REWRITE_TRANSCRIPTS=1 the files are written anew with what the coordinator does now; read the difference
/// before you commit it. Commands that no transcript knows are refused with the list of those that there are.
@Suite("Transcripts of the coordinator")
struct CoordinatorTranscriptTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Transcripts")

    private static let isRewriting = ProcessInfo.processInfo.environment["LETHE_REWRITE_TRANSCRIPTS"] == "1"

    static var names: [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".txt") }.sorted()
    }

    @Test("The coordinator does what the transcript says", arguments: names)
    func transcript(_ name: String) throws {
        let url = Self.folder.appendingPathComponent(name)
        let text = try String(contentsOf: url, encoding: .utf8)
        let file = try TranscriptFile(name: name, text: text)
        var runner = TranscriptRunner(file: name)
        let (told, error) = file.text { try runner.run($0) }
        if told != text {
            if Self.isRewriting {
                try Data(told.utf8).write(to: url)
            } else {
                let difference = TranscriptDifference(expected: text, got: told)
                Issue.record("\(name) says something else (- expected, + got):\n\(difference)")
            }
        }
        if let error { throw error }
    }

    @Test("There are stories, and each of them has steps")
    func stories() throws {
        #expect(Self.names.count >= 12)
        for name in Self.names {
            let text = try String(contentsOf: Self.folder.appendingPathComponent(name), encoding: .utf8)
            let steps = try TranscriptFile(name: name, text: text).parts.count {
                if case .step = $0 { true } else { false }
            }
            #expect(steps > 1 && text.hasPrefix("# "), "\(name)")
        }
    }

    // MARK: the notation itself

    @Test("A command that is unknown or makes no sense is named with file and line")
    func errors() throws {
        func error(_ text: String) throws -> TranscriptError? {
            var runner = TranscriptRunner(file: "s.txt")
            let file = try TranscriptFile(name: "s.txt", text: text)
            return file.text { try runner.run($0) }.error as? TranscriptError
        }
        let unknown = try error("# A story\n\nworker a sings\n----\n")
        #expect(unknown?.line == 3)
        #expect(unknown?.description.hasPrefix("s.txt:3: no command is \"worker a sings\"; there are:\n") == true)
        #expect(unknown?.message.contains("worker W dies") == true)
        let early = try error("worker a dies\n----\n")
        #expect(early?.description == "s.txt:1: worker a dies: worker a is not there")
        for text in ["worker a dies\n", "worker a dies\n\n----\n", "----\n"] {
            #expect(throws: TranscriptError.self) { try TranscriptFile(name: "s.txt", text: text) }
        }
    }

    @Test("Prose, commands and what they give come back as they were")
    func roundTrip() throws {
        let text = "# A story\n\n# of two steps\none\ntwo\n----\n1\n2\n\nthree\n----\n3\n"
        let file = try TranscriptFile(name: "s.txt", text: text)
        #expect(file.text(running: \.expected).text == text)
        let other = file.text { _ in ["x"] }
        #expect(
            other.error == nil && other.text == "# A story\n\n# of two steps\none\ntwo\n----\nx\n\nthree\n----\nx\n")
    }

    @Test("A difference shows what was expected, what came, and where")
    func difference() {
        let shown = TranscriptDifference(expected: "a\nb\nc\nd\ne\nf\ng", got: "a\nb\nc\nd\nx\nf\ng").description
        #expect(shown == "line 5\n  c\n  d\n- e\n+ x\n  f\n  g")
    }
}
