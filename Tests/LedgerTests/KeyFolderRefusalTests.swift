import Crypto
import Files
import Foundation
import Ledger
import Messages
import Testing

@Suite("Key folder: refusals")
struct KeyFolderRefusalTests {
    private let directory: TestDirectory

    init() throws { directory = try TestDirectory() }

    private func open(
        cluster: String = "c", isNew: Bool = false, master: SymmetricKey? = nil
    ) throws -> KeyFolder {
        try KeyFolder(folder: directory.file("keys"), cluster: cluster, isNew: isNew, master: master)
    }

    private func refusal(_ work: () throws -> KeyFolder) -> String? {
        guard case .keyUnusable(_, let reason) = #expect(throws: LedgerError.self, performing: { try work() }) else {
            return nil
        }
        return reason
    }

    @Test("A missing folder is refused where something is sealed with it, and what is lost is said")
    func missing() throws {
        let reason = try #require(refusal { try open() })
        #expect(reason.contains("missing") && reason.contains("workers") && reason.contains("audit log"))
        #expect(!FileManager.default.fileExists(atPath: directory.file("keys").path))
        try open(isNew: true).close()
        try FileManager.default.removeItem(at: directory.file("keys/slots"))
        #expect(try #require(refusal { try open() }).contains("missing"))
    }

    private static let cuts = [0, 100, 4095, 4096, 16_384, 20_479, 20_480, 20_480 + 64 * 4095, 20_480 + 64 * 4096 - 1]

    @Test("A file that was cut is refused", arguments: cuts)
    func cut(size: Int) throws {
        try open(isNew: true).close()
        let bytes = try directory.bytes("keys/slots")
        try bytes.prefix(size).write(to: directory.file("keys/slots"))
        let reason = try #require(refusal { try open() })
        #expect(reason.contains("audit log"))
        guard size >= 20_480 else { return }
        #expect(reason.contains("cut") && reason.contains("\((size - 20_480) / 64) of its 4096"))
    }

    @Test("Any damage of the header is refused, or leaves the folder as it was")
    func damagedHeader() throws {
        let keys = try open(isNew: true)
        let made = try keys.make(1)[0]
        keys.close()
        let bytes = try directory.bytes("keys/slots")
        for offset in Array(0..<260) + Array(4090..<4120) + Array(8190..<8215) + Array(12_290..<12_315) {
            var damaged = bytes
            damaged[offset] ^= 0x55
            try damaged.write(to: directory.file("keys/slots"))
            if offset < 256 {
                _ = try #require(refusal { try open() }, "\(offset)")
            } else {
                let again = try open()
                #expect(try again.key(made.0) == made.1, "\(offset)")
                again.close()
            }
        }
        var damaged = bytes
        for offset in [4096, 8192] { damaged[offset] ^= 1 }
        try damaged.write(to: directory.file("keys/slots"))
        #expect(try #require(refusal { try open() }).contains("damaged"))
    }

    @Test("The folder of another cluster is refused, whether something is sealed or not", arguments: [false, true])
    func foreign(isNew: Bool) throws {
        try open(cluster: "ours", isNew: true).close()
        let reason = try #require(refusal { try open(cluster: "theirs", isNew: isNew) })
        #expect(reason.contains("ours") && reason.contains("theirs"))
        #expect(throws: LedgerError.self) { try open(cluster: String(repeating: "x", count: 65), isNew: true) }
    }

    @Test("A wrong, a missing and a superfluous master key are refused")
    func master() throws {
        let master = SymmetricKey(size: .bits256)
        let keys = try open(isNew: true, master: master)
        let made = try keys.make(1)[0]
        keys.close()
        #expect(try #require(refusal { try open() }).contains("--master-key"))
        #expect(try #require(refusal { try open(master: SymmetricKey(size: .bits256)) }).contains("another master key"))
        #expect(try open(master: master).key(made.0) == made.1)
        try FileManager.default.removeItem(at: directory.file("keys"))
        try open(isNew: true).close()
        #expect(try #require(refusal { try open(master: master) }).contains("without --master-key"))
    }

    @Test("Under a master key no byte of a key lies in the file, and two folders share nothing")
    func wrapped() throws {
        let master = SymmetricKey(size: .bits256)
        let keys = try open(isNew: true, master: master)
        let made = try keys.make(50)
        let bytes = try directory.bytes("keys/slots")
        for (_, key) in made {
            for start in stride(from: 0, to: 32, by: 8) {
                #expect(bytes.range(of: Data(key.rawBytes[start..<start + 8])) == nil)
            }
        }
        #expect(bytes.range(of: Data(master.rawBytes)) == nil)
        let other = try KeyFolder(folder: directory.file("other"), cluster: "c", isNew: true, master: master)
        _ = try other.make(50)
        var mixed = try directory.bytes("other/slots")
        other.close()
        mixed.replaceSubrange(20_480..<mixed.count, with: bytes[20_480...])
        try mixed.write(to: directory.file("other/slots"))
        let again = try KeyFolder(folder: directory.file("other"), cluster: "c", isNew: false, master: master)
        #expect(throws: LedgerError.self) { try again.key(made[0].0) }
    }
}
