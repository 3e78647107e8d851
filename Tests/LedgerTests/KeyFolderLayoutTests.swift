import ClusterTestSupport
import Crypto
import Files
import Foundation
import Ledger
import Messages
import Testing

/// What changes in place lies on pages of its own; a folder of the release before is laid out so when it is opened.
@Suite("Key folder: pages of its file")
struct KeyFolderLayoutTests {
    private struct Killed: Error {}

    private let directory: TestDirectory
    private let epochs = (1...2).map { KeyEpoch(counter: Int64($0), value: 100) }

    init() throws { directory = try TestDirectory() }

    private func open(_ master: SymmetricKey? = nil, isNew: Bool = false) throws -> KeyFolder {
        try KeyFolder(folder: directory.file("keys"), cluster: "c", isNew: isNew, master: master)
    }

    /// A closed folder with two epochs and keys from the tenth slot on.
    private func made(_ count: Int, _ master: SymmetricKey? = nil) throws -> [(KeyReference, SymmetricKey)] {
        let keys = try open(master, isNew: true)
        defer { keys.close() }
        let made = try keys.make(count)
        for epoch in epochs { try keys.destroy(made.prefix(10).map(\.0), epoch: epoch) }
        return Array(made.dropFirst(10))
    }

    private func layOutFormerly() throws {
        try inFormerLayout(directory.bytes("keys/slots")).write(to: directory.file("keys/slots"))
    }

    private func files() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.file("keys").path).sorted()
    }

    @Test(
        "A file of the release before has the same keys in the same slots after the first start, and the old one is gone",
        arguments: [false, true])
    func moved(isWrapped: Bool) throws {
        let master = isWrapped ? SymmetricKey(size: .bits256) : nil
        let made = try made(5000, master)
        let present = try directory.bytes("keys/slots")
        try layOutFormerly()
        let before = try directory.bytes("keys/slots")
        if isWrapped {
            #expect(throws: LedgerError.self) { try open() }
            #expect(try directory.bytes("keys/slots") == before)
        }
        // Another name keeps what a deletion would leave on the disk.
        #expect(link(directory.file("keys/slots").path, directory.file("remains").path) == 0)
        let keys = try open(master)
        #expect(try keys.epoch == epochs[1] && keys.used == made.count && keys.damagedSlots() == [])
        for (reference, key) in made { #expect(try keys.key(reference) == key) }
        let after = try directory.bytes("keys/slots")
        #expect(try files() == ["lock", "slots"] && after[20_480...] == present[20_480...])
        let remains = try directory.bytes("remains")
        for (_, key) in made.prefix(50) { #expect(remains.range(of: Data(key.rawBytes)) == nil) }
        #expect(remains != before && remains.dropFirst(4096).allSatisfy { $0 == 0 })
        // And it goes on; the next start finds nothing to do.
        let next = KeyEpoch(counter: 3, value: 100)
        try keys.destroy([made[0].0], epoch: next)
        keys.close()
        let left = try directory.bytes("keys/slots")
        let again = try open(master)
        #expect(try again.epoch == next && again.key(made[1].0) == made[1].1)
        #expect(try again.key(made[0].0) == nil && directory.bytes("keys/slots") == left)
    }

    @Test(
        "Killed at any step of the move, the next start ends it and loses nothing",
        arguments: KeyFolder.ExchangeStep.allCases)
    func killed(step: KeyFolder.ExchangeStep) throws {
        let made = try made(5000)
        try layOutFormerly()
        #expect(throws: Killed.self) {
            try KeyFolder.move(directory.file("keys")) { if $0 == step { throw Killed() } }
        }
        #expect(try (directory.bytes("keys/slots")[8] == 1) == [.written, .kept].contains(step))
        let keys = try open()
        #expect(try files() == ["lock", "slots"] && directory.bytes("keys/slots")[8] == 2)
        #expect(try keys.epoch == epochs[1] && keys.used == made.count && keys.damagedSlots() == [])
        for (reference, key) in made { #expect(try keys.key(reference) == key) }
    }

    @Test("Where the old file cannot have a second name, nothing changes and no second copy of the keys stays")
    func noSecondName() throws {
        _ = try made(30)
        try layOutFormerly()
        let before = try directory.bytes("keys/slots")
        let old = directory.file("keys/slots.old")
        try FileManager.default.createDirectory(at: old, withIntermediateDirectories: false)
        #expect(throws: LedgerError.self) { try KeyFolder.move(directory.file("keys")) }
        #expect(try files() == ["lock", "slots", "slots.old"] && directory.bytes("keys/slots") == before)
    }

    @Test("A slot that is damaged is so afterwards, too, and stops nothing")
    func damaged() throws {
        let made = try made(30)
        try layOutFormerly()
        var bytes = try directory.bytes("keys/slots")
        bytes[4096 + 64 * Int(made[7].0.slot) + 20] ^= 1
        try bytes.write(to: directory.file("keys/slots"))
        let keys = try open()
        #expect(try keys.damagedSlots() == [made[7].0.slot] && keys.key(made[8].0) == made[8].1)
    }

    @Test("With another master key a file of the release before is laid out as today's", arguments: [false, true])
    func rewrapped(isWrapped: Bool) throws {
        let old = isWrapped ? SymmetricKey(size: .bits256) : nil
        let new = SymmetricKey(size: .bits256)
        let made = try made(30, old)
        try layOutFormerly()
        #expect(try KeyFolder.rewrap(folder: directory.file("keys"), from: old, to: new) == made.count)
        #expect(try directory.bytes("keys/slots")[8] == 2)
        let keys = try open(new)
        #expect(keys.epoch == epochs[1])
        for (reference, key) in made { #expect(try keys.key(reference) == key) }
    }

    @Test(
        "A page that was written to half leaves everything else: the epoch of before, and the number of slots",
        arguments: [4096, 8192, 12_288, 16_384])
    func torn(page: Int) throws {
        let made = try made(30)
        var bytes = try directory.bytes("keys/slots")
        bytes.replaceSubrange(page..<page + 4096, with: (0..<4096).map { UInt8(truncatingIfNeeded: 31 &* $0 &+ 7) })
        try bytes.write(to: directory.file("keys/slots"))
        let keys = try open()
        // The second was written to the second place.
        #expect(keys.epoch == epochs[page == 16_384 ? 0 : 1])
        for (reference, key) in made { #expect(try keys.key(reference) == key) }
        let next = KeyEpoch(counter: 3, value: 100)
        try keys.destroy([made[0].0], epoch: next)
        let more = try keys.make(5000)
        keys.close()
        // All of the page was written: a disk that does not read it any more could not have had a part of it changed.
        let written = try directory.bytes("keys/slots")
        #expect(written[page..<page + 24].contains { $0 != 0 })
        #expect(written[page + 24..<page + 4096].allSatisfy { $0 == 0 })
        let again = try open()
        #expect(again.epoch == next && again.used == made.count - 1 + more.count)
        #expect(try again.key(more[4999].0) == more[4999].1)
    }

    @Test("An epoch is written to its own page, and keys to none of those before the slots")
    func pages() throws {
        let made = try made(30)
        let keys = try open()
        let before = try directory.bytes("keys/slots")
        _ = try keys.make(20)
        try keys.destroy([made[0].0], epoch: KeyEpoch(counter: 3, value: 100))
        let after = try directory.bytes("keys/slots")
        let changed = stride(from: 0, to: 20_480, by: 4096).filter {
            before[$0..<$0 + 4096] != after[$0..<$0 + 4096]
        }
        #expect(changed == [12_288])
    }

    @Test("A ledger whose keys the release before laid out goes on, with what it forgot and what it keeps")
    func ledger() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 81))
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        let adapters = try ledger.adapters().map(\.name)
        try ledger.close()
        try fixture.leaveKeysInFormerLayout()
        for _ in 0..<2 {
            let again = try fixture.open()
            #expect(try again.statistics().users == 7 && again.adapters().map(\.name) == adapters)
            #expect(try again.isNamedByItsPrompts() && !again.auditLog().contains { $0.kind == "person damaged" })
            try again.close()
        }
    }

    @Test("A ledger whose folder lost its last epoch to a write that was cut short starts all the same")
    func lastEpochTorn() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 82))
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        try ledger.close()
        let file = fixture.directory.appendingPathComponent("keys/slots")
        var bytes = try Data(contentsOf: file)
        func counter(_ page: Int) -> UInt64 { bytes[page..<page + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) } }
        let last = counter(12_288) > counter(16_384) ? 12_288 : 16_384
        bytes.replaceSubrange(last..<last + 4096, with: [UInt8](repeating: 0xA5, count: 4096))
        try bytes.write(to: file)
        for _ in 0..<2 {
            let again = try fixture.open()
            #expect(try again.statistics().users == 7 && !again.hasUser("u1") && again.isNamedByItsPrompts())
            #expect(try !again.auditLog().contains { ["person damaged", "keys of another age"].contains($0.kind) })
            try again.close()
        }
    }
}
