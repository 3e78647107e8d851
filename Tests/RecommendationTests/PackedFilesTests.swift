import Recommendation
import Testing

@Suite("Packed files")
struct PackedFilesTests {
    private let csv = "user,item,rating,item_title\na,i,4,T\nb,i,2,T\n"

    @Test("gz is known by its content, whatever the file is called", arguments: ["r.csv.gz", "r.csv"])
    func byContent(name: String) throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(name, gzipped(csv))
        #expect(try ReadData(.csv, file).users == ["a", "b"])
        #expect(try ReadData(.csv, folder.path).users == ["a", "b"])
    }

    @Test("All formats may be packed")
    func formats() throws {
        let folder = try TemporaryFolder()
        try folder.write("x.inter.gz", gzipped("user_id:token\titem_id:token\trating:float\na\ti\t4\n"))
        try folder.write("x.item.gz", gzipped("item_id:token\ttitle:token_seq\ni\tT\n"))
        #expect(try ReadData(.recbole, folder.path).users == ["a"])
        #expect(try ReadData(.recbole, folder.path + "/x.inter.gz").users == ["a"])
        let lines = try folder.write(
            "r.jsonl.gz", gzipped("{\"user\":\"a\",\"item\":\"i\",\"rating\":1,\"item_title\":\"T\"}\n"))
        #expect(try ReadData(.jsonl, lines).users == ["a"])
    }

    @Test("Members behind one another are one text, and noughts at the end are nothing")
    func members() throws {
        let folder = try TemporaryFolder()
        let middle = csv.utf8.count / 2
        let bytes = Array(csv.utf8)
        let parts = gzipped(Array(bytes[..<middle])) + gzipped(Array(bytes[middle...])) + [0, 0, 0]
        #expect(try ReadData(.csv, folder.write("r.csv.gz", parts)).users == ["a", "b"])
    }

    @Test("Cut and damaged gz stops the import by name, wherever it is cut")
    func cut() throws {
        let folder = try TemporaryFolder()
        let rows = (0..<20_000).map { "u\($0),i\($0 % 7),\($0 % 5),T\($0 % 7)\n" }.joined()
        let whole = gzipped("user,item,rating,item_title\n" + rows)
        for count in [2, 9, 11, whole.count / 2, whole.count - 9, whole.count - 1] {
            let file = try folder.write("cut.csv.gz", Array(whole.prefix(count)))
            #expect("cut at \(count)") {
                try ReadData(.csv, file)
            } throws: { "\($0)".contains("gz data end too early") }
        }
        var damaged = whole
        damaged[whole.count / 2] ^= 0x55
        damaged[whole.count - 6] ^= 0x55
        let file = try folder.write("damaged.csv.gz", damaged)
        #expect(throws: RecommendationError.self) { try ReadData(.csv, file) }
        let trailing = try folder.write("trailing.csv.gz", whole + Array("more".utf8))
        #expect {
            try ReadData(.csv, trailing)
        } throws: { "\($0)".contains("no gz follows") }
    }

    @Test("A bomb is refused long before it has expanded, and gz inside gz too")
    func bomb() throws {
        let folder = try TemporaryFolder()
        // 80 MiB of noughts in 80 KB.
        let bomb = gzipped([UInt8](repeating: UInt8(ascii: "0"), count: 80 << 20))
        let file = try folder.write("r.csv.gz", gzipped("user,item,rating,item_title\n") + bomb + bomb)
        #expect {
            try ReadData(.csv, file)
        } throws: { "\($0)".contains("expand to more than 256 times") }
        let twice = try folder.write("s.csv.gz", gzipped(gzipped(csv)))
        #expect {
            try ReadData(.csv, twice)
        } throws: { "\($0)".contains("gz inside gz") }
    }

    @Test("What is not read is named with the line that converts it")
    func others() throws {
        let folder = try TemporaryFolder()
        let contents: [([UInt8], String)] = [
            ([0x28, 0xB5, 0x2F, 0xFD, 0, 0, 0, 0], "zstd -d"), (Array("BZh91AY".utf8), "bunzip2"),
            ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0, 0], "unxz"), (Array("PAR1....".utf8), "read_parquet"),
            (Array("ARROW1..".utf8), "read_feather"), ([0x50, 0x4B, 3, 4, 0], "unzip"),
        ]
        for (bytes, conversion) in contents {
            let file = try folder.write("r.csv", bytes)
            #expect {
                try ReadData(.csv, file)
            } throws: { "\($0)".contains(conversion) }
        }
        try folder.write("r.csv", csv)
        try folder.write("more.csv.zst", [0x28, 0xB5, 0x2F, 0xFD, 0, 0, 0, 0])
        let report = try ReadData(.csv, folder.path).report
        #expect(report.files.last?.reason?.contains("zstd -d") == true)
    }

    @Test("Very many short members are expanded together")
    func shortMembers() throws {
        let folder = try TemporaryFolder()
        let parts = (0..<3000).flatMap { gzipped("u\($0),i,4,T\n") }
        let file = try folder.write("r.csv.gz", gzipped("user,item,rating,item_title\n") + parts)
        #expect(try ReadData(.csv, file).interactions.count == 3000)
    }

    @Test("A damaged file of a folder stops the import as one that was named does")
    func damagedInFolder() throws {
        let folder = try TemporaryFolder()
        try folder.write("1.csv", csv)
        var damaged = gzipped("user,item,rating,item_title\nc,i,4,T\n")
        damaged[damaged.count - 6] ^= 0x55
        try folder.write("2.csv.gz", damaged)
        #expect("") {
            try ReadData(.csv, folder.path)
        } throws: { "\($0)".contains("2.csv.gz") }
    }
}
