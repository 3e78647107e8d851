import Crypto
import Files
import Foundation
import Ledger
import Messages
import Testing

@Suite("Key folder: interruptions")
struct KeyFolderInterruptionTests {
    private struct Killed: Error {}

    private let directory: TestDirectory

    init() throws { directory = try TestDirectory() }

    private func open(_ name: String, isNew: Bool = false) throws -> KeyFolder {
        try KeyFolder(folder: directory.file(name), cluster: "c", isNew: isNew, master: nil)
    }

    /// Copies the folder as a kill at this step leaves it, and ends the call.
    private func kill(_ keys: KeyFolder, at step: KeyFolder.Step) {
        keys.interrupt = { [directory] now in
            guard now == step else { return }
            try? FileManager.default.removeItem(at: directory.file("killed"))
            try FileManager.default.copyItem(at: directory.file("keys"), to: directory.file("killed"))
            throw Killed()
        }
    }

    @Test(
        "Killed while keys are made, nothing is lost that was there, and nothing stays of the new ones",
        arguments: [KeyFolder.Step.grown, .noted, .written, .synced])
    func making(step: KeyFolder.Step) throws {
        let keys = try open("keys", isNew: true)
        let made = try keys.make(10)
        kill(keys, at: step)
        #expect(throws: Killed.self) { try keys.make(5000) }
        keys.interrupt = nil
        let living = Set(made.map(\.0))
        for folder in [try open("killed"), keys] {
            for (reference, key) in made { #expect(try folder.key(reference) == key) }
            _ = try folder.destroyAll(except: living)
            #expect(folder.used == 10)
            #expect(try folder.damagedSlots() == [])
            let more = try folder.make(5000)
            for (reference, key) in more { #expect(try folder.key(reference) == key) }
            #expect(folder.used == 5010)
        }
    }

    @Test(
        "Killed while keys are destroyed, each is either there or gone, and the next start ends it",
        arguments: [KeyFolder.Step.overwritten, .overwrittenSynced, .cleared])
    func destroying(step: KeyFolder.Step) throws {
        let keys = try open("keys", isNew: true)
        let made = try keys.make(10)
        let (doomed, rest) = (made.prefix(5), made.suffix(5))
        kill(keys, at: step)
        #expect(throws: Killed.self) { try keys.destroy(doomed.map(\.0)) }
        keys.interrupt = nil
        let bytes = try directory.bytes("killed/slots")
        for (_, key) in doomed { #expect(bytes.range(of: Data(key.rawBytes)) == nil) }
        let after = try open("killed")
        let orphans = try after.destroyAll(except: Set(rest.map(\.0)))
        #expect(orphans == (step == .cleared ? 0 : 5))
        try keys.destroy(doomed.map(\.0))
        for folder in [after, keys] {
            #expect(folder.used == 5)
            for (reference, _) in doomed { #expect(try folder.key(reference) == nil) }
            for (reference, key) in rest { #expect(try folder.key(reference) == key) }
        }
        for name in ["killed", "keys"] {
            let start = 20_480 + 64 * 5
            #expect(try directory.bytes("\(name)/slots")[20_480..<start].allSatisfy { $0 == 0 })
        }
    }

    @Test("After a call that failed, its slots are not given out before they are cleared")
    func failed() throws {
        let keys = try open("keys", isNew: true)
        kill(keys, at: .written)
        #expect(throws: Killed.self) { try keys.make(100) }
        #expect(keys.used == 0)
        kill(keys, at: .overwrittenSynced)
        #expect(throws: Killed.self) { try keys.make(1) }
        keys.interrupt = nil
        let made = try keys.make(4096)
        #expect(Set(made.map(\.0.slot)).count == 4096)
        #expect(try directory.bytes("keys/slots").count == 20_480 + 64 * 4096)
    }

    @Test("A disk that is full while the file grows changes nothing")
    func full() throws {
        let keys = try open("keys", isNew: true)
        let made = try keys.make(4000)
        let before = try directory.bytes("keys/slots")
        keys.interrupt = { if $0 == .grown { throw LedgerError(FileFailure("cannot write", "slots", code: ENOSPC)) } }
        #expect(throws: LedgerError.diskFull(path: "slots")) { try keys.make(200) }
        #expect(try directory.bytes("keys/slots") == before && keys.used == 4000)
        #expect(try keys.make(96).count == 96)
        keys.interrupt = nil
        #expect(try keys.make(200).count == 200 && keys.key(made[7].0) == made[7].1)
    }

    @Test("A folder whose making was killed is made at the next start")
    func creation() throws {
        try FileManager.default.createDirectory(at: directory.file("keys"), withIntermediateDirectories: true)
        try Data("half".utf8).write(to: directory.file("keys/slots.lethe-temporary"))
        let keys = try open("keys", isNew: true)
        #expect(try keys.make(1).count == 1)
        #expect(!FileManager.default.fileExists(atPath: directory.file("keys/slots.lethe-temporary").path))
    }
}
