import Crypto
import Files
import Foundation
import Ledger
import Messages
import Testing

@Suite("Master key")
struct MasterKeyTests {
    private let directory: TestDirectory
    private let key = SymmetricKey(size: .bits256)

    init() throws { directory = try TestDirectory() }

    private func read(_ bytes: some Sequence<UInt8>) throws -> SymmetricKey {
        try Data(bytes).write(to: directory.file("master"))
        return try MasterKey.file(directory.file("master").path).read()
    }

    @Test("A path and the number of a descriptor are told apart")
    func names() {
        #expect(MasterKey("/run/secrets/master") == .file("/run/secrets/master"))
        #expect(MasterKey("fd:7") == .descriptor(7) && MasterKey("./fd:7") == .file("./fd:7"))
        for text in ["", "fd:", "fd:-1", "fd:x", "fd:99999999999"] { #expect(MasterKey(text) == nil) }
    }

    @Test("A key is 32 bytes, or 64 digits with what editors leave around them")
    func forms() throws {
        #expect(try read(key.rawBytes) == key)
        let digits = key.rawBytes.hexadecimal
        for text in [
            digits, digits + "\n", digits + "\r\n", digits.uppercased(), digits + "  \r\n\r\n", "\u{FEFF}\(digits)\r\n",
        ] {
            #expect(try read(text.utf8) == key)
        }
    }

    @Test("Anything else is refused, naming the file and what was found")
    func refused() throws {
        let digits = Array(key.rawBytes.hexadecimal.utf8)
        let path = directory.file("master").path
        for bytes in [[], Array(digits.dropLast()), digits + Array("\n7\n".utf8), Array("g".utf8) + digits.dropLast()] {
            let error = #expect(throws: LedgerError.self) { try read(bytes) }
            guard case .keyUnusable(path, let reason) = error else {
                Issue.record("wrong error: \(String(describing: error))")
                return
            }
            #expect(reason.contains("these \(bytes.count) bytes"))
        }
        #expect(throws: LedgerError.self) { try read([UInt8](repeating: 7, count: 100_000)) }
        let error = #expect(throws: LedgerError.self) { try MasterKey.file(directory.file("none").path).read() }
        #expect(error?.description.contains("No such file") == true)
        #expect(throws: LedgerError.self) { try MasterKey.descriptor(Int32.max).read() }
    }

    @Test("A descriptor is read to its end")
    func descriptor() throws {
        let pipe = Pipe()
        let copy = dup(pipe.fileHandleForReading.fileDescriptor)
        try pipe.fileHandleForWriting.write(contentsOf: Data(key.rawBytes.hexadecimal.utf8))
        try pipe.fileHandleForWriting.close()
        #expect(try MasterKey.descriptor(copy).read() == key)
    }
}
