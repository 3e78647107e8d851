import Recommendation
import Testing

/// What only zst has. The frames are written out by hand (RFC 8878, 3.1.1).
@Suite("Frames of zst")
struct ZstdFramesTests {
    private let csv = "user,item,rating,item_title\na,i,4,T\nb,i,2,T\n"
    private static let mark: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]
    /// The last block, raw and empty.
    private static let end: [UInt8] = [1, 0, 0]

    @Test("Frames that are to be passed over are, in front, between and behind")
    func skippable() throws {
        let folder = try TemporaryFolder()
        let middle = csv.utf8.count / 2
        let bytes = Array(csv.utf8)
        let note = Array("any text".utf8)
        let frames =
            skippableFrame(note) + zstandard(Array(bytes[..<middle])) + skippableFrame([], kind: 15)
            + zstandard(Array(bytes[middle...])) + skippableFrame(note, kind: 7)
        #expect(try ReadData(.csv, folder.write("r.csv.zst", frames)).users == ["a", "b"])
        // A table of frames behind the text, cut.
        let file = try folder.write("cut.csv.zst", frames.dropLast(1))
        #expect("") {
            try ReadData(.csv, file)
        } throws: { "\($0)".contains("zst data end too early") }
    }

    @Test("A frame that needs a larger window than the bound is refused by name, one with the bound is read")
    func window() throws {
        let folder = try TemporaryFolder()
        let text = zstandard(Array(csv.utf8))
        // No content, window descriptors: 2^27 bytes, an eighth more, and 2^31.
        let within = Self.mark + [0, 0x88] + Self.end
        #expect(try ReadData(.csv, folder.write("r.csv.zst", within + text)).users == ["a", "b"])
        for descriptor in [0x89, 0xA8] as [UInt8] {
            let file = try folder.write("wide.csv.zst", Self.mark + [0, descriptor] + Self.end + text)
            #expect("") {
                try ReadData(.csv, file)
            } throws: { "\($0)".contains("window of more than 128 MiB") && "\($0)".contains("wide.csv.zst") }
        }
    }

    @Test("A frame that was packed with a dictionary is refused by name")
    func dictionary() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("r.csv.zst", Self.mark + [1, 0, 7] + Self.end)
        #expect("") {
            try ReadData(.csv, file)
        } throws: { "\($0)".contains("dictionary") }
    }

    @Test("Blocks of no known kind, and frames of the library's early releases, are no text")
    func foreign() throws {
        let folder = try TemporaryFolder()
        let reserved = try folder.write("r.csv.zst", Self.mark + [0, 0] + [7, 0, 0])
        #expect("") {
            try ReadData(.csv, reserved)
        } throws: { "\($0)".contains("zst data are damaged") }
        // Release 0.7.
        let early = try folder.write("s.csv.zst", zstandard(Array(csv.utf8)) + [0x27, 0xB5, 0x2F, 0xFD, 0, 0, 0, 0])
        #expect("") {
            try ReadData(.csv, early)
        } throws: { "\($0)".contains("no zst follows") }
    }

    @Test("Text that fills pieces and windows many times over comes out whole")
    func long() throws {
        let folder = try TemporaryFolder()
        let rows = (0..<200_000).map { "u\($0 &* 7919 % 100_003),i\($0 % 977),\($0 % 5),T\($0 % 977)\n" }.joined()
        let bytes = zstandard(Array(("user,item,rating,item_title\n" + rows).utf8))
        let data = try ReadData(.csv, folder.write("r.csv.zst", bytes))
        #expect(data.interactions.count == 200_000)
        #expect(data.interactions.last?.user == "u\(199_999 &* 7919 % 100_003)")
    }
}
