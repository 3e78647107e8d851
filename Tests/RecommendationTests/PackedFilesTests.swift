import Foundation
import Recommendation
import Testing

@Suite("Packed files")
struct PackedFilesTests {
    private let csv = "user,item,rating,item_title\na,i,4,T\nb,i,2,T\n"

    @Test(
        "What is packed is known by its content, whatever the file is called", arguments: FilePacking.allCases,
        ["r.csv.gz", "r.csv.zst", "r.csv"])
    func byContent(packing: FilePacking, name: String) throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(name, packed(csv, packing))
        #expect(try ReadData(.csv, file).users == ["a", "b"])
        #expect(try ReadData(.csv, folder.path).users == ["a", "b"])
    }

    @Test("All formats may be packed", arguments: FilePacking.allCases)
    func formats(packing: FilePacking) throws {
        let folder = try TemporaryFolder()
        let ratings = "user_id:token\titem_id:token\trating:float\na\ti\t4\n"
        try folder.write("x.inter.\(packing)", packed(ratings, packing))
        try folder.write("x.item.\(packing)", packed("item_id:token\ttitle:token_seq\ni\tT\n", packing))
        #expect(try ReadData(.recbole, folder.path).users == ["a"])
        #expect(try ReadData(.recbole, folder.path + "/x").users == ["a"])
        #expect(try ReadData(.recbole, folder.path + "/x.inter.\(packing)").users == ["a"])
        let lines = try folder.write(
            "r.jsonl.\(packing)",
            packed("{\"user\":\"a\",\"item\":\"i\",\"rating\":1,\"item_title\":\"T\"}\n", packing))
        #expect(try ReadData(.jsonl, lines).users == ["a"])
    }

    @Test("MovieLens's files may be packed, both forms of them", arguments: FilePacking.allCases)
    func movielens(packing: FilePacking) throws {
        for (ratings, items, rows, titles) in [
            ("u.data", "u.item", "196\t242\t3\t881250949\n", "242|Kolya (1996)|24-Jan-1997||\n"),
            ("ratings.dat", "movies.dat", "196::242::3::881250949\n", "242::Kolya (1996)::Comedy\n"),
        ] {
            let folder = try TemporaryFolder()
            try folder.write("\(ratings).\(packing)", packed(rows, packing))
            try folder.write("\(items).\(packing)", packed(titles, packing))
            for path in [folder.path, folder.path + "/\(ratings).\(packing)", folder.path + "/\(ratings)"] {
                let data = try ReadData(.movielens, path)
                #expect(data.users == ["196"] && data.titles == ["242": "Kolya (1996)"], "\(path)")
            }
            // Of both the one that is named is read.
            try folder.write(ratings, rows.replacingOccurrences(of: "196", with: "7"))
            #expect(try ReadData(.movielens, folder.path).users == ["7"])
            #expect(try ReadData(.movielens, folder.path + "/\(ratings).\(packing)").users == ["196"])
        }
    }

    @Test("What a format does not read says which one does")
    func otherFormat() throws {
        let folder = try TemporaryFolder()
        try folder.write("movies.csv", "movieId,title,genres\n1,Toy Story (1995),Animation\n")
        let error = #expect(throws: RecommendationError.self) { try ReadData(.movielens, folder.path) }
        #expect(error?.description.contains("--format csv") == false)
        let ratings = try folder.write("ratings.csv", "userId,movieId,rating,timestamp\n1,1,4.0,964982703\n")
        for path in [folder.path, ratings] {
            #expect("\(path)") {
                try ReadData(.movielens, path)
            } throws: { "\($0)".contains("ratings.csv and movies.csv") && "\($0)".contains("--format csv") }
        }
        #expect(try ReadData(.csv, folder.path).users == ["1"])
        for format in [RatingsReader.Format.movielens, .recbole] {
            #expect("\(format)") {
                try ReadData(format, "-")
            } throws: { "\($0)".contains("standard input (-)") && "\($0)".contains("csv and jsonl") }
        }
    }

    @Test(
        "Members and frames behind one another are one text, also of very different lengths",
        arguments: FilePacking.allCases)
    func members(packing: FilePacking) throws {
        let folder = try TemporaryFolder()
        let bytes = Array(csv.utf8)
        let parts = [0..<1, 1..<1, 1..<20, 20..<bytes.count].flatMap { packed(Array(bytes[$0]), packing) }
        #expect(try ReadData(.csv, folder.write("r.csv", parts)).users == ["a", "b"])
    }

    @Test("Noughts behind gz are nothing")
    func noughts() throws {
        let folder = try TemporaryFolder()
        let middle = csv.utf8.count / 2
        let bytes = Array(csv.utf8)
        let parts = gzipped(Array(bytes[..<middle])) + gzipped(Array(bytes[middle...])) + [0, 0, 0]
        #expect(try ReadData(.csv, folder.write("r.csv.gz", parts)).users == ["a", "b"])
    }

    @Test("Cut and damaged data stop the import by name, wherever they are cut", arguments: FilePacking.allCases)
    func cut(packing: FilePacking) throws {
        let folder = try TemporaryFolder()
        let rows = (0..<20_000).map { "u\($0),i\($0 % 7),\($0 % 5),T\($0 % 7)\n" }.joined()
        let whole = packed("user,item,rating,item_title\n" + rows, packing)
        for count in [FilePacking.markLength, 9, 11, whole.count / 2, whole.count - 9, whole.count - 1] {
            let file = try folder.write("cut.csv", Array(whole.prefix(count)))
            #expect("cut at \(count)") {
                try ReadData(.csv, file)
            } throws: { "\($0)".contains("\(packing) data end too early") }
        }
        var damaged = whole
        damaged[whole.count / 2] ^= 0x55
        damaged[whole.count - 2] ^= 0x55
        let file = try folder.write("damaged.csv", damaged)
        // What gz makes of it may already be no table, before the checksum says so.
        #expect("damaged") {
            try ReadData(.csv, file)
        } throws: { $0 is RecommendationError && "\($0)".contains("damaged.csv") }
        var checksum = whole
        checksum[whole.count - 2 - (packing == .gz ? 4 : 0)] ^= 0x55
        let wrong = try folder.write("checksum.csv", checksum)
        #expect("checksum") {
            try ReadData(.csv, wrong)
        } throws: { "\($0)".contains("\(packing) data are damaged") }
        for more in ["more", "m", "something longer"] {
            let trailing = try folder.write("trailing.csv", whole + Array(more.utf8))
            #expect("trailing") {
                try ReadData(.csv, trailing)
            } throws: { "\($0)".contains("no \(packing) follows") }
        }
    }

    @Test(
        "A bomb is refused long before it has expanded, and what is packed twice too", arguments: FilePacking.allCases)
    func bomb(packing: FilePacking) throws {
        let folder = try TemporaryFolder()
        // 80 MiB of noughts in 80 KB.
        let bomb = packed([UInt8](repeating: UInt8(ascii: "0"), count: 80 << 20), packing)
        let file = try folder.write("r.csv", packed("user,item,rating,item_title\n", packing) + bomb + bomb)
        #expect {
            try ReadData(.csv, file)
        } throws: { "\($0)".contains("expand to more than 256 times") }
        for inner in FilePacking.allCases {
            let twice = try folder.write("s.csv", packed(packed(csv, inner), packing))
            #expect("\(inner)") {
                try ReadData(.csv, twice)
            } throws: { "\($0)".contains("\(inner) inside \(packing)") }
        }
    }

    @Test("What is not read is named with the line that converts it")
    func others() throws {
        let folder = try TemporaryFolder()
        let contents: [([UInt8], String)] = [
            (Array("BZh91AY".utf8), "bunzip2"), ([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0, 0], "unxz"),
            (Array("PAR1....".utf8), "read_parquet"),
            (Array("ARROW1..".utf8), "read_feather"), ([0x50, 0x4B, 3, 4, 0], "unzip"),
        ]
        for (bytes, conversion) in contents {
            let file = try folder.write("r.csv", bytes)
            #expect {
                try ReadData(.csv, file)
            } throws: { "\($0)".contains(conversion) }
        }
        try folder.write("r.csv", csv)
        try folder.write("more.csv.bz2", Array("BZh91AY".utf8))
        let report = try ReadData(.csv, folder.path).report
        #expect(report.files.last?.reason?.contains("bunzip2") == true)
    }

    @Test("Very many short members and frames are expanded together", arguments: FilePacking.allCases)
    func shortMembers(packing: FilePacking) throws {
        let folder = try TemporaryFolder()
        let parts = (0..<3000).flatMap { packed("u\($0),i,4,T\n", packing) }
        let file = try folder.write("r.csv", packed("user,item,rating,item_title\n", packing) + parts)
        #expect(try ReadData(.csv, file).interactions.count == 3000)
    }

    @Test("A damaged file of a folder stops the import as one that was named does", arguments: FilePacking.allCases)
    func damagedInFolder(packing: FilePacking) throws {
        let folder = try TemporaryFolder()
        try folder.write("1.csv", csv)
        var damaged = packed("user,item,rating,item_title\nc,i,4,T\n", packing)
        damaged[damaged.count - (packing == .gz ? 6 : 2)] ^= 0x55
        try folder.write("2.csv.\(packing)", damaged)
        #expect("") {
            try ReadData(.csv, folder.path)
        } throws: { "\($0)".contains("2.csv.\(packing)") }
    }
}
