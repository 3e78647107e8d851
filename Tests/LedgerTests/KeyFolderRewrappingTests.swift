import Crypto
import Files
import Foundation
import Ledger
import Messages
import Testing

@Suite("Key folder: another master key")
struct KeyFolderRewrappingTests {
    private struct Killed: Error {}

    private let directory: TestDirectory
    private let masters = [nil, SymmetricKey(size: .bits256), SymmetricKey(size: .bits256)]

    init() throws { directory = try TestDirectory() }

    private func open(
        _ name: String = "keys", isNew: Bool = false, under master: SymmetricKey?
    ) throws -> KeyFolder {
        try KeyFolder(folder: directory.file(name), cluster: "c", isNew: isNew, master: master)
    }

    private func files(_ name: String = "keys") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.file(name).path).sorted()
    }

    @Test("Under another master key, or none, the keys are the same and only the new one opens them", arguments: 0..<3)
    func rewrapped(from: Int) throws {
        let keys = try open(isNew: true, under: masters[from])
        let made = try keys.make(5000)
        let to = (from + 1) % 3
        try keys.rewrap(master: masters[to])
        for (reference, key) in made { #expect(try keys.key(reference) == key) }
        try keys.destroy([made[0].0])
        #expect(try keys.make(1).count == 1 && keys.used == 5000)
        keys.close()
        #expect(throws: LedgerError.self) { try open(under: masters[from]) }
        let again = try open(under: masters[to])
        #expect(try again.key(made[1].0) == made[1].1 && again.key(made[0].0) == nil && again.damagedSlots() == [])
        #expect(try files() == ["lock", "slots"])
        let isInClear = try directory.bytes("keys/slots").range(of: Data(made[1].1.rawBytes)) != nil
        #expect(isInClear == (masters[to] == nil))
    }

    @Test("The old file is overwritten before it is removed")
    func overwritten() throws {
        let keys = try open(isNew: true, under: nil)
        let made = try keys.make(10)
        keys.interrupt = { [directory] step in
            guard step == .linked else { return }
            // A third name keeps what the ledger removes.
            try FileManager.default.linkItem(at: directory.file("keys/slots"), to: directory.file("kept"))
        }
        try keys.rewrap(master: masters[1])
        let bytes = try directory.bytes("kept")
        #expect(bytes.count > 4096)
        for (_, key) in made { #expect(bytes.range(of: Data(key.rawBytes.prefix(8))) == nil) }
    }

    @Test(
        "Killed at any step, the keys are under the old or the new master key, and the next start clears the rest",
        arguments: [KeyFolder.Step.rewrapped, .linked, .exchanged])
    func killed(step: KeyFolder.Step) throws {
        let keys = try open(isNew: true, under: nil)
        let made = try keys.make(10)
        keys.interrupt = { [directory] now in
            guard now == step else { return }
            // Not a copy: two names of one file must stay so.
            try FileManager.default.createDirectory(
                at: directory.file("killed"), withIntermediateDirectories: false)
            for name in try FileManager.default.contentsOfDirectory(atPath: directory.file("keys").path)
            where name != "lock" {
                try FileManager.default.linkItem(
                    at: directory.file("keys/\(name)"), to: directory.file("killed/\(name)"))
            }
            try FileManager.default.moveItem(at: directory.file("keys"), to: directory.file("gone"))
            throw Killed()
        }
        #expect(throws: (any Error).self) { try keys.rewrap(master: masters[1]) }
        let after = try open("killed", under: step == .exchanged ? masters[1] : nil)
        for (reference, key) in made { #expect(try after.key(reference) == key) }
        #expect(try files("killed") == ["lock", "slots"])
        #expect(after.used == 10)
    }
}
