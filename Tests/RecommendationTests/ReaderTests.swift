import Recommendation
import Testing

@Suite("Reading ratings")
struct ReaderTests {
    @Test("RecBole's atomic files by folder, prefix and file")
    func recbole() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            "set.inter",
            "user_id:token\titem_id:token\trating:float\ttimestamp:float\n7\ta\t4\t881250949\n8\tb\t2.5\t881250950.0\n")
        try folder.write(
            "set.item",
            "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
                + "a\tToy Story\t1995\tAnimation\nb\tFirm, The\t1993\t\n")
        for path in [folder.path, folder.path + "/set", folder.path + "/set.inter"] {
            let data = try ReadData(.recbole, path)
            #expect(data.items.map(\.title) == ["Toy Story (1995)", "Firm, The (1993)"])
            #expect(
                data.interactions == [
                    Interaction(user: "7", item: "a", timestamp: 881_250_949, rating: 4, ordinal: 0),
                    Interaction(user: "8", item: "b", timestamp: 881_250_950, rating: 2.5, ordinal: 1),
                ])
            #expect(data.report.counts == ImportReport(read: 4, kept: 2, items: 2))
        }
    }

    @Test("RecBole columns may stand in any order and time may be missing")
    func recboleColumns() throws {
        let folder = try TemporaryFolder()
        try folder.write("x.inter", "rating:float\titem_id:token\tuser_id:token\n5\ti\tu\n")
        try folder.write("x.item", "book_title:token_seq\tbook_author:token_seq\titem_id:token\nEmma\tJane Austen\ti\n")
        let data = try ReadData(.recbole, folder.path)
        #expect(data.items == [Item(id: "i", title: "Emma written by Jane Austen")])
        #expect(data.interactions.map(\.timestamp) == [0])
    }

    @Test("Years are shown as years, and where a writer of tables put a gap there is none")
    func years() throws {
        let folder = try TemporaryFolder()
        let written = [
            "1995.0", "nan", "NaN", "None", "null", "0", "0.0", "", "1995", "1995 ", "1995.5", "19950.0", "c. 1890",
            "00",
        ]
        let rows = written.enumerated().map { "\($0.offset),T,\($0.element)\n" }.joined()
        let items = try folder.write("items.csv", "item_id,title,year\n" + rows)
        let ratings = try folder.write("r.csv", "user,item,rating\nu,0,4\n")
        let shown = [
            "T (1995)", "T", "T", "T", "T", "T", "T", "T", "T (1995)", "T (1995 )", "T (1995.5)", "T (19950.0)",
            "T (c. 1890)", "T (00)",
        ]
        #expect(try ReadData(.csv, [ratings, items]).items.map(\.title) == shown)
        let line = #"{"user":"u","item":"i","rating":4,"item_title":"T (1995)","item_year":1995.0}"#
        #expect(try ReadData(.jsonl, folder.write("r.jsonl", line + "\n")).titles == ["i": "T (1995)"])
    }

    @Test("MovieLens u.data and u.item in Latin-1, titles as they are")
    func movielensU() throws {
        let folder = try TemporaryFolder()
        try folder.write("u.data", "196\t242\t3\t881250949\n186\t302\t3\t891717742\n")
        let accent: [UInt8] = [0xE9]
        try folder.write(
            "u.item",
            Array("242|Mis".utf8) + accent
                + Array("rables, Les (1995)|01-Jan-1995||http://x|0|1\n302|Kolya (1996) |\n".utf8))
        for path in [folder.path, folder.path + "/u.data"] {
            let data = try ReadData(.movielens, path)
            #expect(data.items.map(\.title) == ["Misérables, Les (1995)", "Kolya (1996) "])
            #expect(data.interactions.map(\.item) == ["242", "302"])
        }
    }

    @Test("MovieLens .dat files with double colons and CR LF")
    func movielensDat() throws {
        let folder = try TemporaryFolder()
        try folder.write("ratings.dat", "1::1193::5::978300760\r\n1::661::3.5::978302109\r\n")
        try folder.write("movies.dat", "1193::One: Flew (1975)::Drama\r\n661::James (1996)::Animation|Children's\r\n")
        let data = try ReadData(.movielens, folder.path)
        #expect(data.items.map(\.title) == ["One: Flew (1975)", "James (1996)"])
        #expect(data.interactions.map(\.rating) == [5, 3.5])
        #expect(data.report.refused == 0)
    }

    @Test("CSV with titles in the same rows, quotes and a byte order mark")
    func csv() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(
            "my ratings.csv",
            "\u{FEFF}User ID,Item ID,Rating,Timestamp,Item Title\n"
                + "u1,i1,4,10,\"Good, the \"\"Bad\"\", and the Ugly\"\nu2,i1,2,11,\nu1,i2,5,12,\"Two\nlines\"\n")
        let data = try ReadData(.csv, file)
        #expect(data.items.map(\.title) == ["Good, the \"Bad\", and the Ugly", "Two lines"])
        #expect(data.interactions.map(\.user) == ["u1", "u2", "u1"])
        #expect(data.report.counts == ImportReport(read: 3, kept: 3, items: 2))
    }

    @Test("MovieLens's newer CSV folders: ratings, movies and files that are neither")
    func csvFolder() throws {
        let folder = try TemporaryFolder()
        try folder.write("links.csv", "movieId,imdbId,tmdbId\n1,0114709,862\n")
        try folder.write(
            "movies.csv", "movieId,title,genres\n1,Toy Story (1995),Animation\n2,\"Net, The (1995)\",Drama\n")
        try folder.write("ratings.csv", "userId,movieId,rating,timestamp\n1,1,4.0,964982703\n1,2,3.0,964981247\n")
        try folder.write("tags.csv", "userId,movieId,tag,timestamp\n1,1,fun,1445714994\n")
        let whole = try ReadData(.csv, folder.path)
        #expect(whole.items.map(\.title) == ["Toy Story (1995)", "Net, The (1995)"])
        #expect(whole.interactions.map(\.rating) == [4, 3])
        #expect(try ReadData(.csv, folder.path + "/ratings.csv").interactions == whole.interactions)
    }

    @Test("Book-Crossing: semicolons, quotes, Latin-1 and backslashes")
    func bookCrossing() throws {
        let folder = try TemporaryFolder()
        try folder.write(
            "BX-Book-Ratings.csv",
            "\"User-ID\";\"ISBN\";\"Book-Rating\"\n\"276725\";\"034545104X\";\"0\"\n\"276726\";\"0155061224\";\"5\"\n")
        try folder.write(
            "BX-Books.csv",
            Array("\"ISBN\";\"Book-Title\";\"Book-Author\";\"Year-Of-Publication\"\n".utf8)
                + Array("\"034545104X\";\"Flesh &amp; \\\"Tones\\\"\";\"M. J. Rose\";\"2002\"\n\"0155061224\";\"D".utf8)
                + [0xE9] + Array("cision\";\"Judith Rae\";\"2001\"\n".utf8))
        let data = try ReadData(.csv, folder.path)
        #expect(
            data.items.map(\.title) == [
                "Flesh & \"Tones\" written by M. J. Rose", "Décision written by Judith Rae",
            ])
        #expect(data.interactions.map(\.rating) == [0, 5])
        #expect(data.report.refused == 0)
    }

    @Test("JSON lines with numbers or texts as ids, in one file or two")
    func jsonLines() throws {
        let folder = try TemporaryFolder()
        let single = try folder.write(
            "all.jsonl",
            "{\"user\":1,\"item\":\"x\",\"rating\":4.5,\"timestamp\":99,\"item_title\":\"X \\u00e9\"}\n\n"
                + "{\"item\":\"y\",\"title\":\"Y\",\"year\":1999}\n{\"user\":\"2\",\"item\":\"y\",\"rating\":1}\n")
        let data = try ReadData(.jsonl, single)
        #expect(data.items == [Item(id: "y", title: "Y (1999)"), Item(id: "x", title: "X é")])
        #expect(data.interactions.map(\.user) == ["1", "2"])
        #expect(data.interactions.map(\.timestamp) == [99, 0])

        let two = try TemporaryFolder()
        try two.write("meta.jsonl", "{\"asin\":\"B1\",\"title\":\"Pen\"}\n")
        try two.write("reviews.jsonl", "{\"reviewerID\":\"R\",\"asin\":\"B1\",\"overall\":5,\"unixReviewTime\":7}\n")
        let split = try ReadData(.jsonl, two.path)
        #expect(split.items == [Item(id: "B1", title: "Pen")])
        #expect(split.interactions == [Interaction(user: "R", item: "B1", timestamp: 7, rating: 5, ordinal: 0)])
    }

    @Test("Batches are no larger than asked, and their size changes nothing", arguments: [1, 2, 7, 1000])
    func batches(size: Int) throws {
        let folder = try TemporaryFolder()
        let rows = (0..<50).map { "u\($0 % 7),i\($0 % 11),\($0 % 5),\($0),Title \($0 % 11)\n" }.joined()
        let file = try folder.write("r.csv", "user,item,rating,timestamp,item_title\n" + rows)
        let data = try ReadData(.csv, file, size: size)
        #expect(data.largestBatch <= size)
        #expect(data.interactions.map(\.timestamp) == Array(0..<50))
        #expect(data.items.count == 11)
    }

    @Test("A file far larger than a chunk comes out whole")
    func chunks() throws {
        let folder = try TemporaryFolder()
        let rows = (0..<40_000).map { "\($0 % 701)\t\($0 % 97)\t\($0 % 5 + 1)\t\($0)\n" }.joined()
        try folder.write("u.data", rows)
        try folder.write("u.item", (0..<97).map { "\($0)|Film \($0) (1990)|\n" }.joined())
        let data = try ReadData(.movielens, folder.path, size: 4096)
        #expect(data.interactions.map(\.timestamp) == Array(0..<40_000))
        #expect(data.interactions.map(\.ordinal) == Array(0..<40_000))
        #expect(data.report.counts == ImportReport(read: 40_097, kept: 40_000, items: 97))
    }

    @Test("An error of the receiver stops the import and comes through")
    func receiverError() throws {
        struct Full: Error {}
        let folder = try TemporaryFolder()
        let file = try folder.write("r.csv", "user,item,rating,item_title\na,b,1,T\na,c,1,U\n")
        #expect(throws: Full.self) {
            try RatingsReader(format: .csv, path: file).forEachBatch(size: 1) { _ in throw Full() }
        }
    }
}
