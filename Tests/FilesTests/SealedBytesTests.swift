import Crypto
import Files
import Foundation
import Testing

@Suite("Sealed bytes are noise without their key")
struct SealedBytesTests {
    @Test("What was sealed opens with its key and in its context only")
    func opensOnlyWhereItBelongs() throws {
        let key = SymmetricKey(size: .bits256)
        let sealed = try SealedBytes.seal(Array("fourteen films".utf8), key: key, context: "person 7")
        #expect(sealed.count == 14 + SealedBytes.overhead)
        #expect(try SealedBytes.open(sealed, key: key, context: "person 7") == Array("fourteen films".utf8))
        #expect(throws: SealedBytes.Failure.notOpened) {
            try SealedBytes.open(sealed, key: key, context: "person 8")
        }
        #expect(throws: SealedBytes.Failure.notOpened) {
            try SealedBytes.open(sealed, key: SymmetricKey(size: .bits256), context: "person 7")
        }
    }

    @Test("A changed or cut box does not open")
    func changedBytes() throws {
        let key = SymmetricKey(size: .bits256)
        let sealed = try SealedBytes.seal([1, 2, 3], key: key, context: "")
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1
            #expect(throws: SealedBytes.Failure.notOpened) { try SealedBytes.open(changed, key: key, context: "") }
        }
        for length in 0..<sealed.count {
            #expect(throws: SealedBytes.Failure.notOpened) {
                try SealedBytes.open(sealed.prefix(length), key: key, context: "")
            }
        }
    }

    @Test("The same bytes sealed twice are two boxes, and keys for two purposes are two keys")
    func nothingRepeats() throws {
        let key = SymmetricKey(size: .bits256)
        #expect(
            try SealedBytes.seal([1], key: key, context: "") != SealedBytes.seal([1], key: key, context: ""))
        #expect(key.derived(for: "a") == key.derived(for: "a"))
        #expect(key.derived(for: "a") != key.derived(for: "b"))
        #expect(SymmetricKey(raw: key.rawBytes) == key)
    }
}
