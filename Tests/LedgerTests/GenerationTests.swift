import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Testing

@Suite("Generations of a cluster's coordinator")
struct GenerationTests {
    /// A copy of the data directory, as somebody moves it to another host.
    private func copy(_ fixture: LedgerFixture) throws -> LedgerFixture {
        let other = LedgerFixture()
        try FileManager.default.createDirectory(
            at: other.directory.deletingLastPathComponent(), withIntermediateDirectories: true)
        try FileManager.default.copyItem(at: fixture.directory, to: other.directory)
        return other
    }

    private func start(_ fixture: LedgerFixture, takeOver: Bool = false) throws -> Generation {
        let ledger = try fixture.open()
        defer { try? ledger.close() }
        return try ledger.raiseGeneration(takeOver: takeOver, at: fixture.now)
    }

    @Test("Every start takes the next one and descends from those before")
    func descent() throws {
        let fixture = LedgerFixture()
        let starts = try (0..<4).map { _ in try start(fixture) }
        #expect(starts.map(\.counter) == [1, 2, 3, 4] && Set(starts.map(\.nonce)).count == 4)
        for (position, generation) in starts.enumerated() {
            #expect(generation.relation(to: generation) == .same)
            for earlier in starts[..<position] {
                #expect(generation.relation(to: earlier) == .newer && earlier.relation(to: generation) == .older)
            }
        }
    }

    @Test("A copy is older, or in conflict, however often it is started")
    func copies() throws {
        let fixture = LedgerFixture()
        _ = try start(fixture)
        let other = try copy(fixture)
        let first = try start(fixture)
        let sameCounter = try start(other)
        #expect(sameCounter.counter == first.counter && sameCounter.relation(to: first) == .conflict)
        let second = try start(fixture)
        #expect(sameCounter.relation(to: second) == .older)
        var overtaking = sameCounter
        for _ in 0..<5 { overtaking = try start(other) }
        #expect(overtaking.counter > second.counter)
        #expect(overtaking.relation(to: second) == .conflict && overtaking.relation(to: first) == .conflict)
    }

    @Test("A ledger that learned that it is superseded starts again only to take over, and then comes after both")
    func takeOver() throws {
        let fixture = LedgerFixture()
        _ = try start(fixture)
        let other = try copy(fixture)
        for _ in 0..<3 { _ = try start(fixture) }
        let known = try start(fixture)
        let ledger = try other.open()
        let own = try ledger.raiseGeneration(at: other.now)
        try ledger.noteSuperseded(by: known, at: other.now)
        try ledger.close()
        #expect(throws: LedgerError.superseded(by: known.counter)) { try start(other) }
        let next = try start(other, takeOver: true)
        #expect(next.relation(to: known) == .newer && next.relation(to: own) == .newer)
        #expect(try start(other).relation(to: next) == .newer)
        #expect(try start(other).relation(to: known) == .newer)
        #expect(try start(fixture).relation(to: next) == .conflict)
    }

    @Test("What is remembered survives, and only what comes after it is followed")
    func memory() throws {
        let fixture = LedgerFixture()
        let starts = try (0..<3).map { _ in try start(fixture) }
        let directory = FileManager.default.temporaryDirectory.path + "/lethe-memory-\(UUID().uuidString)/clusters"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let memory = GenerationMemory(directory: directory)
        #expect(try memory.objection(to: starts[1], of: "c") == nil)
        let again = GenerationMemory(directory: directory)
        #expect(again.generation(of: "c") == starts[1] && again.generation(of: "d") == nil)
        #expect(try again.objection(to: starts[0], of: "c")?.known == starts[1])
        #expect(try again.objection(to: starts[0], of: "d") == nil)
        #expect(try again.objection(to: starts[2], of: "c") == nil)
        #expect(again.generation(of: "c") == starts[2])
        // A name from outside is no path.
        #expect(try again.objection(to: starts[2], of: "../evil") == nil)
        #expect(
            try FileManager.default.subpathsOfDirectory(atPath: (directory as NSString).deletingLastPathComponent)
                .sorted() == ["clusters", "clusters/c", "clusters/d"])
    }

    @Test("Impossible generations are refused where they are decoded")
    func bounds() throws {
        let good = try JSONSerialization.jsonObject(with: JSONEncoder().encode(start(LedgerFixture())))
        let object = try #require(good as? [String: Any])
        #expect(throws: Never.self) { try decode(object) }
        for (key, value) in [
            ("counter", 0 as Any), ("counter", Int.max), ("counter", -1), ("nonce", "zz"), ("nonce", ""),
            ("earlier", [""]), ("earlier", Array(repeating: String(repeating: "a", count: 32), count: 65)),
            ("signature", "00"),
        ] {
            var changed = object
            changed[key] = value
            #expect(throws: (any Error).self, "\(key) \(value)") { try decode(changed) }
        }
    }

    private func decode(_ object: [String: Any]) throws {
        _ = try JSONDecoder().decode(Generation.self, from: JSONSerialization.data(withJSONObject: object))
    }
}
