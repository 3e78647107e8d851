import Files
import Foundation
import Testing

@Suite("Bytes as text and as numbers")
struct BytesTests {
    @Test("Hexadecimal is two lower-case digits a byte, and is read in either case")
    func hexadecimal() {
        let bytes = (0...255).map { UInt8($0) }
        #expect(bytes.hexadecimal.hasPrefix("000102") && bytes.hexadecimal.hasSuffix("fdfeff"))
        #expect([UInt8](hexadecimal: bytes.hexadecimal) == bytes)
        #expect([UInt8](hexadecimal: "aBFf") == [0xab, 0xff])
        #expect([UInt8](hexadecimal: "") == [])
    }

    @Test("Anything else is no hexadecimal", arguments: ["0", "0g", "+1", "-1", " 1", "0x", "é", "1 "])
    func notHexadecimal(_ text: String) {
        #expect([UInt8](hexadecimal: text) == nil)
    }

    @Test("SHA-256 of the empty text and of abc are those of FIPS 180-4")
    func digest() {
        #expect(sha256([UInt8]()) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(sha256(Array("abc".utf8)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test("Floats are four bytes, the least significant first, whatever they are")
    func floats() throws {
        #expect(LittleEndianFloats.bytes([1, -2]) == [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0])
        let values: [Float] = [0, -0.0, .infinity, -.infinity, .leastNonzeroMagnitude, 3.25]
        let bytes = LittleEndianFloats.bytes(values)
        #expect(try #require(LittleEndianFloats.floats(bytes)).map(\.bitPattern) == values.map(\.bitPattern))
        #expect(LittleEndianFloats.floats(bytes.dropLast()) == nil)
        #expect(LittleEndianFloats.floats([UInt8]()) == [])
        let nan = Float(bitPattern: 0x7fc0_1234)
        #expect(LittleEndianFloats.floats(LittleEndianFloats.bytes([nan]))?.first?.bitPattern == 0x7fc0_1234)
    }
}
