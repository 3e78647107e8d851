import Crypto
import Files
import Foundation
import Ledger
import Messages
import Testing

@Suite("Key folder")
struct KeyFolderTests {
    private let directory: TestDirectory

    init() throws { directory = try TestDirectory() }

    private func open(
        _ name: String = "keys", cluster: String = "c", isNew: Bool = true, master: SymmetricKey? = nil
    ) throws -> KeyFolder {
        try KeyFolder(folder: directory.file(name), cluster: cluster, isNew: isNew, master: master)
    }

    @Test("A key is read as it was made, also after the folder was opened again", arguments: [false, true])
    func roundTrip(isWrapped: Bool) throws {
        let master = isWrapped ? SymmetricKey(size: .bits256) : nil
        let keys = try open(master: master)
        let made = try keys.make(3) + keys.make(2)
        #expect(Set(made.map(\.0)).count == 5 && Set(made.map { $0.1.rawBytes }).count == 5 && keys.used == 5)
        for (reference, key) in made { #expect(try keys.key(reference) == key) }
        keys.close()
        #expect(throws: LedgerError.self) { try keys.key(made[0].0) }
        let again = try open(isNew: false, master: master)
        #expect(again.used == 5)
        for (reference, key) in made { #expect(try again.key(reference) == key) }
        #expect(try again.damagedSlots() == [])
    }

    @Test("Only its owner reads the folder, and one process at a time uses it")
    func exclusive() throws {
        let keys = try open()
        for (name, mode) in [("keys", 0o700), ("keys/slots", 0o600), ("keys/lock", 0o600)] {
            let attributes = try FileManager.default.attributesOfItem(atPath: directory.file(name).path)
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == mode)
        }
        #expect(throws: LedgerError.inUse(path: directory.file("keys").path)) { try open() }
        keys.close()
        _ = try open()
    }

    @Test("The bytes of a destroyed key are nowhere in the file; those of the others stay")
    func destroyed() throws {
        let keys = try open()
        let made = try keys.make(100)
        let doomed = stride(from: 0, to: 100, by: 3).map { made[$0] }
        let size = try directory.bytes("keys/slots").count
        try keys.destroy(doomed.map(\.0))
        try keys.destroy(doomed.map(\.0))
        let bytes = try directory.bytes("keys/slots")
        #expect(bytes.count == size && keys.used == 66)
        for (index, (reference, key)) in made.enumerated() {
            let isDoomed = index.isMultiple(of: 3)
            #expect(try keys.key(reference) == (isDoomed ? nil : key))
            #expect((bytes.range(of: Data(key.rawBytes.prefix(8))) == nil) == isDoomed)
            if isDoomed {
                let start = 20_480 + 64 * Int(reference.slot)
                #expect(bytes[start..<start + 64].allSatisfy { $0 == 0 })
            }
        }
    }

    @Test("A slot that is used again is not mistaken for the key that was destroyed there")
    func reused() throws {
        let keys = try open()
        let old = try keys.make(1)[0].0
        try keys.destroy([old])
        let new = try keys.make(1)[0]
        #expect(new.0.slot == old.slot && new.0.id != old.id)
        #expect(try keys.key(old) == nil)
        try keys.destroy([old])
        #expect(try keys.key(new.0) == new.1 && keys.used == 1)
    }

    @Test("A slot that the file does not have is no destroyed key")
    func noSlot() throws {
        let keys = try open()
        for slot in [-1, 4096, Int64.max] {
            let error = #expect(throws: LedgerError.self) { try keys.key(KeyReference(slot: slot, id: 1)) }
            guard case .corrupt = error else {
                Issue.record("wrong error: \(String(describing: error))")
                return
            }
            try keys.destroy([KeyReference(slot: slot, id: 1)])
        }
    }

    @Test("A key without a living owner is overwritten at the start")
    func orphans() throws {
        let keys = try open()
        let made = try keys.make(10)
        let living = Set(made.prefix(4).map(\.0))
        let stale = KeyReference(slot: made[7].0.slot, id: 5)
        #expect(try keys.destroyAll(except: living.union([stale])) == 6)
        #expect(try keys.destroyAll(except: living) == 0)
        for (index, (reference, key)) in made.enumerated() {
            #expect(try keys.key(reference) == (index < 4 ? key : nil))
        }
    }

    @Test("A damaged slot is noticed; its owner can have it destroyed, and only without an owner it goes by itself")
    func damaged() throws {
        let keys = try open()
        let made = try keys.make(3).map(\.0)
        try flip(at: 20_480 + 64 * Int(made[1].slot) + 20)
        let error = #expect(throws: LedgerError.self) { try keys.key(made[1]) }
        guard case .corrupt = error else {
            Issue.record("wrong error: \(String(describing: error))")
            return
        }
        #expect(try keys.damagedSlots() == [made[1].slot])
        #expect(try keys.destroyAll(except: Set(made)) == 0)
        try keys.destroy([made[1]])
        #expect(try keys.key(made[1]) == nil && keys.damagedSlots() == [])
        try flip(at: 20_480 + 64 * Int(made[2].slot))
        #expect(try keys.destroyAll(except: [made[0]]) == 1 && keys.damagedSlots() == [])
    }

    @Test("Slots that were exchanged do not open")
    func exchanged() throws {
        for master in [nil, SymmetricKey(size: .bits256)] {
            let name = master == nil ? "plain" : "wrapped"
            let keys = try open(name, master: master)
            let made = try keys.make(2).map(\.0)
            var bytes = try directory.bytes("\(name)/slots")
            let places = made.map { 20_480 + 64 * Int($0.slot)..<20_480 + 64 * Int($0.slot) + 64 }
            let (first, second) = (Data(bytes[places[0]]), Data(bytes[places[1]]))
            bytes.replaceSubrange(places[0], with: second)
            bytes.replaceSubrange(places[1], with: first)
            try overwrite("\(name)/slots", bytes)
            for reference in made { #expect(throws: LedgerError.self) { try keys.key(reference) } }
        }
    }

    @Test("A hundred thousand keys are made in one call, found at the next start and destroyed in one call")
    func many() throws {
        let keys = try open()
        let made = try keys.make(100_000)
        #expect(Set(made.map(\.0.slot)).count == 100_000)
        keys.close()
        let again = try open(isNew: false)
        #expect(again.used == 100_000)
        #expect(try again.key(made[99_999].0) == made[99_999].1)
        try again.destroy(made.dropLast().map(\.0))
        #expect(again.used == 1)
        #expect(try again.destroyAll(except: []) == 1)
        #expect(try directory.bytes("keys/slots").dropFirst(20_480).allSatisfy { $0 == 0 })
    }

    @Test("A folder that was replaced while it was open is not written to")
    func replaced() throws {
        let keys = try open()
        let made = try keys.make(1)[0].0
        try FileManager.default.moveItem(at: directory.file("keys"), to: directory.file("moved"))
        try FileManager.default.copyItem(at: directory.file("moved"), to: directory.file("keys"))
        let error = LedgerError.replaced(path: directory.file("keys/slots").path)
        #expect(throws: error) { try keys.make(1) }
        #expect(throws: error) { try keys.destroy([made]) }
    }

    private func flip(at offset: Int) throws {
        var bytes = try directory.bytes("keys/slots")
        bytes[offset] ^= 1
        try overwrite("keys/slots", bytes)
    }

    /// In place, for a folder that is open.
    private func overwrite(_ name: String, _ bytes: Data) throws {
        let file = try FileHandle(forWritingTo: directory.file(name))
        try file.write(contentsOf: bytes)
        try file.close()
    }

    @Test("The epoch is there after a start, a damaged one gives way to the one before, another master key keeps it")
    func epoch() throws {
        let keys = try open()
        let made = try keys.make(2)
        #expect(keys.epoch == nil)
        let epochs = (1...3).map { KeyEpoch(counter: Int64($0), value: 100) }
        try keys.destroy([], epoch: epochs[0])
        try keys.destroy([made[0].0], epoch: epochs[1])
        try keys.destroy([], epoch: epochs[2])
        #expect(keys.epoch == epochs[2])
        keys.close()
        let again = try open(isNew: false)
        #expect(try again.epoch == epochs[2] && again.key(made[1].0) == made[1].1)
        again.close()
        let bytes = try directory.bytes("keys/slots")
        for (offset, left) in [(12_288, epochs[1]), (16_384, epochs[2])] {
            var damaged = bytes
            damaged[offset + 3] ^= 1
            try overwrite("keys/slots", damaged)
            let other = try open(isNew: false)
            #expect(other.epoch == left)
            other.close()
        }
        try overwrite("keys/slots", bytes)
        let master = SymmetricKey(size: .bits256)
        #expect(try KeyFolder.rewrap(folder: directory.file("keys"), from: nil, to: master) == 1)
        #expect(try open(isNew: false, master: master).epoch == epochs[2])
    }
}
