import Recommendation
import Testing

@Suite("Refused rows by reason")
struct RefusalReasonsTests {
    @Test("Each reason is counted, with three examples that name ids and no content")
    func reasons() throws {
        let folder = try TemporaryFolder()
        let rows = (0..<10).map { "u\($0),i\($0),secret\($0),T\n" }.joined() + "a,i,4,T\n,i,4,T\nshort\n"
        let report = try ReadData(.csv, folder.write("r.csv", "user,item,rating,item_title\n" + rows)).report
        #expect(
            report.reasons.map(\.reason) == [
                "the rating is no number", "no user", "another number of fields than it should have",
            ])
        #expect(report.reasons.map(\.rows) == [10, 1, 1])
        #expect(report.reasons.map(\.examples.count) == [3, 1, 1])
        let first = try #require(report.reasons.first?.examples.first)
        #expect(first.line == 2 && first.user == "u0" && first.item == "i0")
        #expect(!"\(report.reasons)".contains("secret"))
        #expect(report.reasons.reduce(0) { $0 + $1.rows } == report.refused)
    }
}
