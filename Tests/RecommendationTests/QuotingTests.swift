import Recommendation
import Testing

@Suite("Quotes and separators")
struct QuotingTests {
    @Test("RecBole's items are read with pandas' quotes and without any")
    func pandas() throws {
        let folder = try TemporaryFolder()
        try folder.write("x.inter", "user_id:token\titem_id:token\trating:float\nu\ta\t4\n")
        try folder.write(
            "x.item",
            "item_id:token\ttitle:token_seq\tclass:token_seq\n"
                + "a\t\"The \"\"Great\"\" Film\"\tDrama\nb\t\"Great Performances\" Cats\tMusical\nc\t\"Heroes\"\t\n"
                + "d\t\"\"\"Heroes\"\"\"\t\ne\t\"With a\ttab\"\tDrama\nf\t\"Two\nlines\"\tDrama\ng\t\"A\" and \"B\"\t\n"
                + "h\t12\" Vinyl\tMusic\n")
        #expect(
            try ReadData(.recbole, folder.path).items.map(\.title) == [
                "The \"Great\" Film", "\"Great Performances\" Cats", "\"Heroes\"", "\"Heroes\"", "With a tab",
                "Two lines",
                "\"A\" and \"B\"", "12\" Vinyl",
            ])
    }

    @Test("A first line sep=; names the separator", arguments: ["sep=;", "SEP=;", "\"sep=;\"", "\u{FEFF}sep=;"])
    func declaredSeparator(line: String) throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("r.csv", "\(line)\r\nuser;item;rating;item_title\r\na;i;4,5;T\r\n")
        let data = try ReadData(.csv, file)
        #expect(data.interactions.map(\.rating) == [4.5])
    }
}
