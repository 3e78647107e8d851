import Recommendation
import Testing

@Suite("Several files")
struct SeveralFilesTests {
    @Test("Files and folders are read in the order in which they were named")
    func order() throws {
        let folder = try TemporaryFolder()
        let other = try TemporaryFolder()
        try other.write("2023.csv", "user,item,rating\nc,i,4\n")
        try other.write("2024.csv", "user,item,rating\nd,i,4\n")
        let later = try folder.write("b.csv", "user,item,rating\nb,i,4\n")
        let earlier = try folder.write("a.csv", "user,item,rating\na,i,4\n")
        let items = try folder.write("items.csv", "item_id,title\ni,Lamp\n")
        let data = try ReadData(.csv, [later, earlier, other.path, items])
        #expect(data.users == ["b", "a", "c", "d"])
        #expect(data.interactions.map(\.ordinal) == [0, 1, 2, 3])
        #expect(data.report.files.map(\.file).contains(other.path + "/2023.csv"))
        // Titles beside the named files are found as beside one.
        #expect(try ReadData(.csv, [later, earlier]).titles == ["i": "Lamp"])
    }

    @Test("A named file that says nothing of use stops the import; in a folder it is left out by name")
    func useless() throws {
        let folder = try TemporaryFolder()
        let ratings = try folder.write("a.csv", "user,item,rating,item_title\na,i,4,T\n")
        let other = try folder.write("b.csv", "who,what\na,b\n")
        #expect(throws: RecommendationError.self) { try ReadData(.csv, [ratings, other]) }
        #expect(try ReadData(.csv, folder.path).users == ["a"])
    }

    @Test("JSON lines come from several files too")
    func jsonLines() throws {
        let folder = try TemporaryFolder()
        let ratings = try folder.write("a.jsonl", #"{"user":1,"item":1,"rating":4}"# + "\n")
        let more = try folder.write("b.jsonl", #"{"user":2,"item":1,"rating":4}"# + "\n")
        let items = try folder.write("c.jsonl", #"{"item":1,"title":"Lamp"}"# + "\n")
        let data = try ReadData(.jsonl, [more, ratings, items])
        #expect(data.users == ["2", "1"] && data.titles == ["1": "Lamp"])
    }

    @Test("RecBole's parts are one data set, in the order of their numbers")
    func recboleParts() throws {
        let folder = try TemporaryFolder()
        try folder.write("ml.item", "item_id:token\ttitle:token_seq\ni\tLamp\n")
        for part in [1, 2, 10] {
            try folder.write("ml.part\(part).inter", "user_id:token\titem_id:token\trating:float\nu\(part)\ti\t4\n")
        }
        for path in [folder.path, folder.path + "/ml"] {
            #expect(try ReadData(.recbole, path).users == ["u1", "u2", "u10"])
        }
        #expect(try ReadData(.recbole, folder.path + "/ml.part2.inter").users == ["u2"])
        let two = [folder.path + "/ml.part10.inter", folder.path + "/ml.part1.inter"]
        #expect(try ReadData(.recbole, two).users == ["u10", "u1"])
    }

    @Test("Parts in a folder come in the order of their numbers, whatever the format", arguments: ["csv", "jsonl"])
    func numberedParts(ending: String) throws {
        let folder = try TemporaryFolder()
        for part in [1, 2, 9, 10, 11, 100] {
            try folder.write(
                "part-\(part).\(ending)",
                ending == "csv"
                    ? "user,item,rating,item_title\nu\(part),i,4,T\n"
                    : #"{"user":"u\#(part)","item":"i","rating":4,"item_title":"T"}"# + "\n")
        }
        let data = try ReadData(ending == "csv" ? .csv : .jsonl, folder.path)
        #expect(data.users == ["u1", "u2", "u9", "u10", "u11", "u100"])
    }
}
