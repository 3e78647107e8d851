import Foundation
import Messages
import Testing

@testable import Ledger

@Suite("Staged imports: the folder")
struct StagedFolderTests {
    private let fixture: StagedFixture

    init() throws { fixture = try StagedFixture() }

    private func mode(_ path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return try #require(attributes[.posixPermissions] as? Int)
    }

    @Test("Only the owner can enter the folder and read its files")
    func modes() throws {
        try fixture.write([StagedFixture.batch([])])
        #expect(try mode(fixture.imports.folder.path) == 0o700)
        #expect(try mode(fixture.file(0).path) == 0o600)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: fixture.imports.folder.path)
        _ = try StagedImports(folder: fixture.imports.folder)
        #expect(try mode(fixture.imports.folder.path) == 0o700)
    }

    @Test("Nothing of people, items or the import's id lies in clear, neither in a file nor in its name")
    func nothingInClear() throws {
        let row = StagedFixture.row("Winston Smith", "film-of-the-year", timestamp: 1_234_567_890_123)
        let item = StagedItem(token: "item-of-the-year", title: "The Secret Agent")
        try fixture.write([StagedFixture.batch([row], items: [item], refused: ["hashed-name"])])
        let bytes = try Data(contentsOf: fixture.file(0))
        for text in ["Winston", "film-of", "item-of", "Secret", "hashed", "movies", "2024"] {
            #expect(bytes.range(of: Data(text.utf8)) == nil)
            #expect(try fixture.names.allSatisfy { !$0.contains(text) })
        }
        for half in [row.lookup.bytes.prefix(8), row.lookup.bytes.suffix(8)] {
            #expect(bytes.range(of: Data(half)) == nil)
            #expect(bytes.range(of: Data(half.reversed())) == nil)
        }
        #expect(try fixture.names.count == 1)
        #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.directory.url.path) == ["staged"])
    }

    @Test("An import's files are removed, and no others")
    func removal() throws {
        let batches = StagedFixture.batches(seed: 13, sizes: [10, 20], people: 4)
        for id in ["1", "10", ""] { try fixture.write(batches, importID: id) }
        try Data("left".utf8).write(to: fixture.file(0, importID: "1").appendingPathExtension("lethe-temporary"))
        try fixture.imports.remove(importID: "1")
        #expect(try fixture.names.count == 4)
        #expect(fixture.isCorrupt(importID: "1"))
        for id in ["10", ""] { #expect(try fixture.people(0..<2, importID: id) == StagedPerson.all(batches)) }
        try fixture.imports.remove(importID: "1")
        try fixture.imports.remove(importID: "never there")
        #expect(try fixture.names.count == 4)
    }

    @Test("Only the files that are named are kept, and nothing that a killed process left")
    func keeping() throws {
        let batches = StagedFixture.batches(seed: 14, sizes: [10, 20], people: 4)
        for id in ["1", "2", "3"] { try fixture.write(batches, importID: id) }
        let left = fixture.file(5, importID: "1").appendingPathExtension("lethe-temporary")
        let foreign = fixture.imports.folder.appendingPathComponent("foreign")
        for file in [left, foreign, left.appendingPathExtension("batch")] { try Data("left".utf8).write(to: file) }
        let kept = ["1", "3"].flatMap { id in (0..<2).map { fixture.file($0, importID: id).lastPathComponent } }
        try fixture.imports.keepOnly(files: Set(kept + ["never there"]))
        #expect(try fixture.names == kept.sorted())
        for id in ["1", "3"] { #expect(try fixture.people(0..<2, importID: id) == StagedPerson.all(batches)) }
        try fixture.imports.keepOnly(files: [])
        #expect(try fixture.names.isEmpty)
    }
}
