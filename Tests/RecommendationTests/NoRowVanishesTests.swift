import Foundation
import Recommendation
import Testing

@Suite("No row vanishes in silence")
struct NoRowVanishesTests {
    private let csv = "user,item,rating,timestamp,item_title\na,i,4,10,Caf\u{E9}\nb,j,2,11,\u{1F600}\n"

    @Test("UTF-16 is known by its byte order mark", arguments: [true, false])
    func utf16(isBig: Bool) throws {
        let folder = try TemporaryFolder()
        let units = "\u{FEFF}\(csv)".utf16.flatMap { unit -> [UInt8] in
            let (high, low) = (UInt8(unit >> 8), UInt8(unit & 255))
            return isBig ? [high, low] : [low, high]
        }
        let data = try ReadData(.csv, folder.write("r.csv", units))
        #expect(data.users == ["a", "b"])
        #expect(data.items.map(\.title) == ["Caf\u{E9}", "\u{1F600}"])
    }

    @Test("UTF-16 without a byte order mark is refused by name")
    func unmarked() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("r.csv", csv.utf16.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] })
        #expect {
            try ReadData(.csv, file)
        } throws: { "\($0)".contains("UTF-16 without a byte order mark") }
    }

    @Test("Lines may end in LF, CR LF or CR alone", arguments: ["\n", "\r\n", "\r"])
    func lineEnds(end: String) throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("r.csv", csv.replacingOccurrences(of: "\n", with: end))
        #expect(try ReadData(.csv, file).interactions.map(\.timestamp) == [10, 11])
    }

    @Test("A FIFO gives all rows", arguments: [RatingsReader.Format.csv, .jsonl])
    func pipe(format: RatingsReader.Format) throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/fifo"
        #expect(mkfifo(path, 0o600) == 0)
        let text =
            format == .csv
            ? csv : "{\"user\":1,\"item\":1,\"rating\":4,\"item_title\":\"T\"}\n{\"user\":2,\"item\":1,\"rating\":4}\n"
        let writer = Thread { try? Data(text.utf8).write(to: URL(fileURLWithPath: path)) }
        writer.start()
        #expect(try ReadData(format, path).interactions.count == 2)
    }

    @Test("Columns named after time are recognised, and ISO 8601 dates read")
    func dates() throws {
        let folder = try TemporaryFolder()
        for column in ["date", "created_at", "Timestamp", "reviewDate"] {
            let file = try folder.write(
                "r.csv",
                "user,item,rating,\(column),item_title\na,i,4,1970-01-02,T\na,i,5,1970-01-01T00:00:10.5+00:00,T\n"
                    + "a,i,5,2000-03-01 00:00,T\na,i,5,1972-02-30,T\n")
            let data = try ReadData(.csv, file)
            #expect(data.interactions.map(\.timestamp) == [86_400, 10, 951_868_800])
            #expect(
                data.report.files.first?.columns.contains { $0.meaning == "timestamp" && $0.name == column } == true)
            #expect(data.report.refused == 1 && data.report.filesWithoutTime.isEmpty)
        }
        #expect(Timestamps.seconds("1970-01-01T02:00:00+02:00") == 0)
        #expect(Timestamps.seconds("1969-12-31T23:59:59Z") == -1)
        #expect(Timestamps.seconds("yesterday") == nil)
    }

    @Test("The report names columns without meaning, and ratings without time")
    func columns() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("r.csv", "user,item,rating,when,item_title\na,i,4,1970-01-02,T\n")
        let report = try ReadData(.csv, file).report
        #expect(report.files.map(\.unusedColumns) == [["when"]])
        #expect(report.filesWithoutTime == ["r.csv"])
    }

    @Test("Each file of a folder is read by its own header, and those that say nothing are named")
    func folder() throws {
        let folder = try TemporaryFolder()
        try folder.write("1.csv", "user,item,rating,item_title\na,i,4,T\n")
        try folder.write("2.csv", "movie_title;stars;uid;movieId\nU;3;b;j\n")
        try folder.write("3.csv", "who,what,how\na,b,c\n")
        try folder.write("notes.txt", "hello\n")
        let data = try ReadData(.csv, folder.path)
        #expect(data.interactions.map(\.user) == ["a", "b"])
        #expect(data.report.files.map(\.file) == ["1.csv", "2.csv", "3.csv", "notes.txt"])
        #expect(data.report.files.map(\.use) == [.ratings, .ratings, .unused, .unused])
    }

    @Test("The first line of a file of JSON lines does not decide for the others")
    func firstLine() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            "a.jsonl", "{\"item\":1,\"title\":\"T\"}\n{\"user\":1,\"item\":1,\"rating\":4}\n")
        try folder.write(
            "b.jsonl", "{\"note\":\"hello\"}\n{\"user\":2,\"item\":2,\"rating\":4}\n{\"item\":2,\"title\":\"U\"}\n")
        let data = try ReadData(.jsonl, folder.path)
        #expect(data.users == ["1", "2"])
        #expect(data.report.refused == 1)
        #expect(data.report.files.map(\.use) == [.both, .both])
    }

    @Test("A list of what to forget is read as an import is, and no key is overlooked")
    func targets() throws {
        let folder = try TemporaryFolder()
        let wide = "\u{FEFF}71\r\n8\r\n".utf16.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
        #expect(try SourceText.lines(of: folder.write("f", wide)).map(\.text) == ["71", "8"])
        #expect(try SourceText.lines(of: folder.write("g", "\u{FEFF}7\r8")).map(\.text) == ["7", "8"])
        let target = try SourceText.target(json: "{\"user_id\":18446744073709551615,\"item\":5,\"timestamp\":9}")
        #expect(target?.user == "18446744073709551615" && target?.item == "5" && target?.timestamp == "9")
        for line in ["{\"user\":7,\"film\":5}", "{\"user\":7,\"item\":null}", "{\"user\":1.0}", "{\"item\":1}"] {
            #expect(throws: RecommendationError.self) { try SourceText.target(json: line) }
        }
    }
}
