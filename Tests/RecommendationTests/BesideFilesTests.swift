import Recommendation
import Testing

@Suite("Files beside those that were named")
struct BesideFilesTests {
    private let ratings = (0..<3).map { "{\"user\":\"u\",\"item\":\"i\($0)\",\"rating\":4}\n" }.joined()

    /// Lines of items, packed; long enough that a cut falls behind some of them.
    private func items() -> [UInt8] {
        packed((0..<20_000).map { "{\"item\":\"i\($0)\",\"title\":\"Lamp \($0)\"}\n" }.joined(), .gz)
    }

    @Test("A catalogue that is cut behind its first items stops the import, also where nobody named it")
    func cut() throws {
        let folder = try TemporaryFolder()
        let named = try folder.write("ratings.jsonl", ratings)
        let whole = items()
        try folder.write("items.jsonl.gz", whole)
        #expect(try ReadData(.jsonl, named).titles.count == 20_000)
        try folder.write("items.jsonl.gz", Array(whole.prefix(whole.count / 2)))
        #expect(throws: RecommendationError.self) { try ReadData(.jsonl, named) }
    }

    @Test("What is no catalogue from its beginning on is left out by name")
    func other() throws {
        let folder = try TemporaryFolder()
        let named = try folder.write(
            "ratings.jsonl", "{\"user\":\"u\",\"item\":\"i\",\"rating\":4,\"item_title\":\"Lamp\"}\n")
        try folder.write("other.jsonl.gz", Array(items().prefix(5)))
        let data = try ReadData(.jsonl, named)
        #expect(data.users == ["u"])
        #expect(data.report.files.contains { $0.file == "other.jsonl.gz" && $0.use == .unused })
    }

    @Test(
        "What a system keeps beside files is not read with a folder, and is by its name",
        arguments: [RatingsReader.Format.csv, .jsonl])
    func hidden(format: RatingsReader.Format) throws {
        let folder = try TemporaryFolder()
        let ending = format == .csv ? "csv" : "jsonl"
        let row =
            format == .csv
            ? "user,item,rating,item_title\na,i,4,T\n"
            : "{\"user\":\"a\",\"item\":\"i\",\"rating\":4,\"item_title\":\"T\"}\n"
        try folder.write("ratings.\(ending)", row)
        let other = try folder.write(
            "._ratings.\(ending)", [0, 5, 0x16, 7, 0, 2, 0, 0] + [UInt8](repeating: 0, count: 200))
        let data = try ReadData(format, folder.path)
        #expect(data.users == ["a"])
        #expect(data.report.files.contains { $0.file == "._ratings.\(ending)" && $0.use == .unused })
        try folder.write("._ratings.\(ending)", row)
        #expect(try ReadData(format, other).users == ["a"])
    }
}
