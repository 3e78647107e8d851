import Recommendation
import Testing

@Suite("Broken and hostile files")
struct HostileFileTests {
    @Test("Broken lines are counted and named; the rest goes in")
    func brokenLines() throws {
        let folder = try TemporaryFolder()
        try folder.write("u.item", "1|One (1990)|\n2|\n|No id|\n1|One again|\n3|Three (1993)|\n")
        try folder.write(
            "u.data",
            "a\t1\t5\t10\nb\t1\t5\nc\t1\tfive\t10\nd\t9\t5\t10\n\te\t5\t10\nf\t1\tnan\t10\ng\t1\t5\tsoon\nh\t3\t4\t1e9\n"
                + "i\t1\t5\t10\t11\nj\t1\t5\t1e300\nk\t1\t\t10\n")
        let data = try ReadData(.movielens, folder.path)
        #expect(data.interactions.map(\.user) == ["a", "h"])
        #expect(data.interactions.map(\.ordinal) == [0, 7])
        #expect(data.items.map(\.id) == ["1", "3"])
        #expect(data.report.read == 16)
        #expect(data.report.refused == 12)
        #expect(
            data.report.samples == [
                RefusedLine(file: "u.item", line: 2, reason: "item 2 has no title"),
                RefusedLine(file: "u.item", line: 3, reason: "no item"),
                RefusedLine(file: "u.item", line: 4, reason: "item 1 was named before"),
                RefusedLine(file: "u.data", line: 2, reason: "3 fields instead of 4"),
                RefusedLine(file: "u.data", line: 3, reason: "rating \"five\" is not a number"),
                RefusedLine(file: "u.data", line: 4, reason: "item 9 has no title: this import names none"),
                RefusedLine(file: "u.data", line: 5, reason: "no user"),
                RefusedLine(file: "u.data", line: 6, reason: "rating \"nan\" is not a number"),
                RefusedLine(
                    file: "u.data", line: 7, reason: "timestamp \"soon\" is neither a number nor an ISO 8601 date"),
                RefusedLine(file: "u.data", line: 9, reason: "5 fields instead of 4"),
                RefusedLine(
                    file: "u.data", line: 10, reason: "timestamp \"1e300\" is neither a number nor an ISO 8601 date"),
                RefusedLine(file: "u.data", line: 11, reason: "no rating"),
            ])
    }

    @Test("A folder in the place of a file is told as what it is")
    func folderAsFile() throws {
        let folder = try TemporaryFolder()
        #expect {
            try PromptWording(file: folder.path)
        } throws: { "\($0)".contains("directory") && "\($0)".contains(folder.path) }
    }

    @Test("A table whose first line is empty has no columns, and says so")
    func noHeader() throws {
        let folder = try TemporaryFolder()
        for text in ["", "\n", "\r\nuser,item,rating,item_title\na,b,1,T\n"] {
            let file = try folder.write("r.csv", text)
            #expect {
                try ReadData(.csv, file)
            } throws: { "\($0)".contains("there are: none, the first line is empty;") }
        }
    }

    @Test("Standard input is read once")
    func repeatedStandardInput() throws {
        for format in RatingsReader.Format.allCases {
            #expect {
                try ReadData(format, ["-", "-"])
            } throws: { "\($0)".contains("more than once") }
        }
    }

    @Test("Only the first refused lines are kept")
    func manyBrokenLines() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(
            "r.csv", "user,item,rating,item_title\n" + String(repeating: "x\n", count: 500) + "a,b,1,T\n")
        let data = try ReadData(.csv, file)
        #expect(data.report.refused == 500)
        #expect(data.report.samples.count == ImportReport.sampleLimit)
        #expect(data.interactions.count == 1)
    }

    @Test("A quote that is never closed costs one row")
    func strayQuote() throws {
        let folder = try TemporaryFolder()
        let rows = (0..<60).map { "u\($0),i,3,\($0 == 5 ? "\"Never closed" : "Title")\n" }.joined()
        let file = try folder.write("r.csv", "user,item,rating,item_title\n" + rows)
        let data = try ReadData(.csv, file)
        #expect(data.interactions.count == 59)
        #expect(data.report.samples == [RefusedLine(file: "r.csv", line: 7, reason: "a quote is not closed")])
    }

    @Test("An endless line is refused and the next one read")
    func endlessLine() throws {
        let folder = try TemporaryFolder()
        let endless = [UInt8](repeating: UInt8(ascii: "x"), count: 3_000_000)
        let file = try folder.write(
            "r.csv", Array("user,item,rating,item_title\n".utf8) + endless + Array("\na,b,1,T\n".utf8))
        let data = try ReadData(.csv, file)
        #expect(data.interactions.map(\.user) == ["a"])
        #expect(data.report.samples == [RefusedLine(file: "r.csv", line: 2, reason: "longer than 1048576 bytes")])
    }

    @Test("Overlong ids and titles and control characters in ids are refused")
    func overlong() throws {
        let folder = try TemporaryFolder()
        let long = String(repeating: "y", count: 5000)
        let file = try folder.write(
            "r.csv",
            "user,item,rating,item_title\n\(long),i,1,T\nu,\(long),1,T\nu,j,1,\(long)\nu\u{1},i,1,T\nu,k,1,K\u{7}\n"
        )
        let data = try ReadData(.csv, file)
        #expect(data.items == [Item(id: "k", title: "K ")])
        #expect(
            data.report.samples.map(\.reason) == [
                "user id of 5000 bytes", "item id of 5000 bytes", "item j has a title of 5000 bytes",
                "user id with a control character",
            ])
    }

    @Test("Lines that are no JSON objects are refused, however they look")
    func brokenJSON() throws {
        let folder = try TemporaryFolder()
        let deep = String(repeating: "[", count: 100_000)
        let file = try folder.write(
            "r.jsonl",
            "[1,2]\n{\"user\":\n\(deep)\n{\"user\":true,\"item\":\"a\",\"rating\":1,\"item_title\":\"T\"}\n"
                + "{\"user\":{},\"item\":\"a\",\"rating\":1}\n{\"user\":\"u\",\"item\":\"a\",\"rating\":1,\"item_title\":\"T\"}\n"
        )
        let data = try ReadData(.jsonl, file)
        #expect(data.items.map(\.id) == ["a"])
        #expect(data.interactions.map(\.user) == ["u"])
        #expect(
            data.report.samples.map(\.reason)
                == [String](repeating: "not a JSON object", count: 3) + ["no user", "no user"])
    }

    @Test("Random bytes never stop a reader", arguments: RatingsReader.Format.allCases, 0..<8)
    func randomBytes(format: RatingsReader.Format, seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let alphabet = Array("user,item;rating\t::|\"\\\n\r{}[]:0123456789.-e".utf8) + [0, 0xC3, 0xA9, 0xFF]
        let noise = (0..<20_000).map { _ in alphabet.randomElement(using: &random) ?? 0 }
        let folder = try TemporaryFolder()
        try folder.write("u.data", noise)
        try folder.write("u.item", noise)
        try folder.write("x.inter", Array("user_id:token\titem_id:token\trating:float\n".utf8) + noise)
        try folder.write("x.item", Array("item_id:token\ttitle:token\n".utf8) + noise)
        try folder.write("x.csv", Array("user,item,rating,item_title\n".utf8) + noise)
        try folder.write("x.jsonl", Array("{\"user\":1,\"item\":1,\"rating\":1,\"item_title\":\"T\"}\n".utf8) + noise)
        let data = try ReadData(format, folder.path)
        #expect(data.report.read >= data.report.kept + data.report.refused)
        #expect(data.report.refused > 0)
        #expect(data.interactions.allSatisfy { $0.rating.isFinite && !$0.user.isEmpty && !$0.item.isEmpty })
    }

    @Test("Missing files, columns and titles are named")
    func missing() throws {
        let folder = try TemporaryFolder()
        for format in RatingsReader.Format.allCases {
            #expect(throws: RecommendationError.self) { try ReadData(format, folder.path) }
            #expect(throws: RecommendationError.self) { try ReadData(format, folder.path + "/nothing") }
        }
        let csv = try folder.write("r.csv", "user,item,stars and stripes\na,b,1\n")
        #expect(
            throws: RecommendationError.missingColumn(
                file: csv, column: .rating, header: "user, item, stars and stripes")
        ) { try ReadData(.csv, csv) }
        let untitled = try folder.write("s.csv", "user,item,rating\na,b,1\n")
        #expect {
            try ReadData(.csv, untitled)
        } throws: {
            guard case .missingTitles = $0 as? RecommendationError else { return false }
            return true
        }
        try folder.write("x.inter", "user_id:token\titem_id:token\trating:float\n")
        #expect {
            try ReadData(.recbole, folder.path)
        } throws: {
            guard case .missingTitles = $0 as? RecommendationError else { return false }
            return true
        }
        try folder.write("y.inter", "user_id:token\titem_id:token\trating:float\n")
        #expect(throws: RecommendationError.self) { try ReadData(.recbole, folder.path) }
    }

    @Test("Empty files give an empty import or a clear error")
    func empty() throws {
        let folder = try TemporaryFolder()
        try folder.write("u.data", "")
        try folder.write("u.item", "")
        #expect(try ReadData(.movielens, folder.path).report.counts == ImportReport())
        let csv = try folder.write("e.csv", "")
        #expect(throws: RecommendationError.self) { try ReadData(.csv, csv) }
    }
}
