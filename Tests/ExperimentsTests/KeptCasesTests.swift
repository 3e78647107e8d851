import Experiments
import Foundation
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Finished cases of a comparison are kept")
struct KeptCasesTests {
    private let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)

    private func report(_ seed: UInt64) throws -> ComparisonReport {
        let shop = try ComparisonShop()
        let options = ComparisonOptions(forget: [ForgetKind(.users, 20)], seeds: 1, sequence: 1)
        var report = try ComparisonShop.run(try #require(try shop.cases(options).first))
        report.cases[0].seed = seed
        return report
    }

    private func digest(_ character: Character) -> String { String(repeating: character, count: 64) }

    private func url(_ name: String) -> URL { directory.appendingPathComponent(name) }

    @Test("What is kept is found again, number by number, by another value on the same directory")
    func roundTrip() throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        let (one, two) = (try report(1), try report(2))
        let kept = try KeptCases(directory.path)
        try kept.keep(FoundCase(digest: digest("a"), report: one))
        try kept.keep(FoundCase(digest: digest("b"), report: two))
        try kept.keep(FoundCase(digest: digest("b"), report: two))
        let contents = try KeptCases(directory.path).contents()
        #expect(contents.cases == [digest("a"): one, digest("b"): two])
        #expect(contents.refused.isEmpty)
        let modes = try FileManager.default.contentsOfDirectory(atPath: directory.path).map {
            try FileManager.default.attributesOfItem(atPath: url($0).path)[.posixPermissions] as? Int
        }
        #expect(modes == [0o600, 0o600])
    }

    @Test("Damaged, misnamed and foreign files are named, and nothing in them is believed")
    func damaged() throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        let kept = try KeptCases(directory.path)
        for name in "abcdef" { try kept.keep(FoundCase(digest: digest(name), report: try report(7))) }
        func path(_ name: Character) -> URL { url("\(digest(name)).json") }
        let text = try String(contentsOf: path("a"), encoding: .utf8)
        // A number that is another number and still JSON.
        try Data(text.replacingOccurrences(of: "\"seed\":7", with: "\"seed\":8").utf8).write(to: path("a"))
        try Data(text.utf8.dropLast(20)).write(to: path("b"))
        try FileManager.default.removeItem(at: path("c"))
        try FileManager.default.copyItem(at: path("d"), to: path("c"))
        try FileManager.default.removeItem(at: path("e"))
        try FileManager.default.createSymbolicLink(at: path("e"), withDestinationURL: path("f"))
        try Data("notes".utf8).write(to: url("notes.txt"))
        try Data("{}".utf8).write(to: url("\(digest("A")).json"))
        // What a process that was killed leaves behind is neither.
        try Data("half".utf8).write(to: url("\(digest("9")).json.lethe-temporary"))
        let contents = try kept.contents()
        #expect(contents.cases.keys.sorted() == [digest("d"), digest("f")])
        #expect(
            contents.refused.map(\.name) == [
                "\(digest("A")).json", "\(digest("a")).json", "\(digest("b")).json", "\(digest("c")).json",
                "\(digest("e")).json", "notes.txt",
            ])
        let again = try report(7)
        try kept.keep(FoundCase(digest: digest("a"), report: again))
        #expect(try kept.contents().cases[digest("a")] == again)
    }

    @Test("A directory that cannot be one is refused at once; a note that cannot be read is none")
    func refused() throws {
        defer { try? FileManager.default.removeItem(at: directory) }
        try Data().write(to: directory)
        #expect(throws: (any Error).self) { try KeptCases(directory.path) }
        try FileManager.default.removeItem(at: directory)
        let kept = try KeptCases(directory.path)
        #expect(kept.note() == nil)
        let note = ComparisonNote(
            options: ComparisonOptions(kept: [digest("a")]), operation: "o",
            plan: [PlannedCase(digest: digest("a"), seed: 1, data: "as recorded")])
        try kept.write(note)
        #expect(kept.note() == note && note.options.kept == nil)
        #expect(try kept.contents().refused.isEmpty)
        try Data("{".utf8).write(to: url("under-way.json"))
        #expect(kept.note() == nil)
        #expect(throws: (any Error).self) { try kept.keep(FoundCase(digest: "../a", report: ComparisonReport())) }
    }

    @Test("A report names nobody: neither users, items, titles nor ids of prompts stand in it")
    func impersonal() throws {
        let shop = try ComparisonShop()
        let options = ComparisonOptions(
            forget: [ForgetKind(.users, 20), ForgetKind(.interaction, 2)], seeds: 1, sequence: 2)
        let made = try #require(try shop.cases(options).first)
        let text = String(decoding: try JSONEncoder().encode(try ComparisonShop.run(made)), as: UTF8.self)
        for prompt in made.training + made.validation + made.test {
            #expect(!text.contains(prompt.prompt.id) && !text.contains(prompt.prompt.input))
        }
    }
}
