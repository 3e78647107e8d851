import Recommendation
import Testing

@Suite("How times and ratings are written")
struct TimeFormsTests {
    @Test(
        "Numbers are seconds, milliseconds, microseconds or nanoseconds by their magnitude",
        arguments: [
            ("1700000000", 1_700_000_000), ("1700000000123", 1_700_000_000), ("1700000000123456", 1_700_000_000),
            ("1700000000123456789", 1_700_000_000), ("1700000000.9", 1_700_000_000), ("1.7e12", 1_700_000_000),
            ("-1", -1), ("-1700000000001", -1_700_000_001), ("99999999999", 99_999_999_999), ("0", 0),
        ] as [(String, Int64)])
    func magnitude(text: String, seconds: Int64) {
        #expect(Timestamps.seconds(text) == seconds)
    }

    @Test("A declared unit counts for all magnitudes")
    func declared() {
        #expect(Timestamps.read("1700000000123", unit: .seconds)?.seconds == 1_700_000_000_123)
        #expect(Timestamps.read("5000", unit: .milliseconds)?.seconds == 5)
        #expect(Timestamps.read("2024-01-02", unit: .milliseconds)?.seconds == 1_704_153_600)
    }

    @Test(
        "ISO 8601 dates may have a time, a fraction and an offset",
        arguments: [
            "2023-11-14T22:13:20Z", "2023-11-14 22:13:20", "2023-11-14T22:13:20.123456", "2023-11-14T23:13:20+01:00",
            "2023-11-14T17:13:20,5-0500", "2023-11-14 22:13:20 UTC", "2023-11-14 22:13:20+00",
            "2023-11-14 22:13:20.5 +00:00",
        ])
    func dates(text: String) {
        #expect(Timestamps.seconds(text) == 1_700_000_000)
        #expect(Timestamps.read(text)?.form == .date)
    }

    @Test(
        "What is no time is none",
        arguments: ["", "yesterday", "2023-13-01", "2023-02-29", "0x10", "nan", "1e300", "14.11.2023"])
    func none(text: String) {
        #expect(Timestamps.seconds(text) == nil)
    }

    @Test(
        "Days are shown as they were written",
        arguments: ["1969-12-31", "1970-01-01", "2000-02-29", "2024-12-31", "0001-03-01"])
    func days(text: String) throws {
        #expect(Timestamps.day(of: try #require(Timestamps.seconds(text))) == text)
    }

    @Test("The report says how times and ratings were understood")
    func report() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(
            "r.csv",
            "user;item;rating;time;item_title\na;i;4,5;1700000000123;T\nb;i;3;2024-01-02T03:04:05+01:00;T\nc;i;1,000,5;1;T\n"
        )
        let data = try ReadData(.csv, file)
        #expect(data.interactions.map(\.rating) == [4.5, 3])
        #expect(data.interactions.map(\.timestamp) == [1_700_000_000, 1_704_161_045])
        let forms = try #require(data.report.files.first).forms
        #expect(forms.times.map(\.form) == [.milliseconds, .date] && forms.times.map(\.rows) == [1, 1])
        #expect(forms.decimalCommas == 1)
        let text = try #require(data.report.files.first).text
        #expect(text.contains("times are milliseconds and ISO 8601 dates, from 2023-11-14 to 2024-01-02"))
        #expect(text.contains("1 ratings have a decimal comma"))
    }

    @Test("The day of every number of seconds can be said", arguments: [Int64.min, .min + 1, -1, 0, .max])
    func days(seconds: Int64) {
        #expect(!Timestamps.day(of: seconds).isEmpty)
        #expect(Timestamps.day(of: -1) == "1969-12-31" && Timestamps.day(of: 0) == "1970-01-01")
    }
}
