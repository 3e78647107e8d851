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
            "2023-11-14 22:13:20.5 +00:00", "20231114T221320Z", "20231114T221320", "20231114 22:13:20",
            "20231114T231320.5+0100",
            "20231114T171320-05:00", "20231114221320",
        ])
    func dates(text: String) {
        #expect(Timestamps.seconds(text) == 1_700_000_000)
        #expect(Timestamps.read(text)?.form == .date)
    }

    @Test(
        "Digits that are a date of these centuries are one, other numbers are what they were",
        arguments: [
            ("20240102", 1_704_153_600, .date), ("20240102.0", 1_704_153_600, .date),
            ("19000101", -2_208_988_800, .date),
            ("21001231", 4_133_894_400, .date), ("20240229", 1_709_164_800, .date), ("20230229", 20_230_229, .seconds),
            ("20241301", 20_241_301, .seconds), ("18991231", 18_991_231, .seconds), ("21010101", 21_010_101, .seconds),
            ("20240102.5", 20_240_102, .seconds), ("-20240102", -20_240_102, .seconds),
            ("2024010", 2_024_010, .seconds),
            ("20240102030405", 1_704_164_645, .date), ("20240102036105", 20_240_102_036, .milliseconds),
            ("20240102T0304", 1_704_164_640, .date),
        ] as [(String, Int64, Timestamps.Form)])
    func compact(text: String, seconds: Int64, form: Timestamps.Form) throws {
        let read = try #require(Timestamps.read(text))
        #expect(read.seconds == seconds && read.form == form, "\(read)")
        // Who declares a unit means numbers.
        if !text.contains("T") { #expect(Timestamps.read(text, unit: .seconds)?.form == .seconds) }
    }

    @Test(
        "What is no time is none",
        arguments: [
            "20240102T", "20240102T25", "20240102T0361", "202401-02", "2024-0102", "2024-01-02T0304", "20240102T03040",
            "20240102abc", "", "yesterday", "2023-13-01", "2023-02-29", "0x10", "nan", "1e300", "14.11.2023",
        ])
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

    @Test("A file that begins with a number holds numbers: a counter of seconds is none of dates now and then")
    func counters() throws {
        let folder = try TemporaryFolder()
        func times(_ texts: [String]) throws -> [Int64] {
            let rows = texts.enumerated().map { "u;i\($0.offset);3;\($0.element);T" }
            let file = try folder.write(
                "r.csv", "user;item;rating;time;item_title\n" + rows.joined(separator: "\n") + "\n")
            return try ReadData(.csv, file).interactions.map(\.timestamp)
        }
        #expect(try times(["20000132", "20000201"]) == [20_000_132, 20_000_201])
        #expect(try times(["20000201", "2000-02-02"]) == [949_363_200, 949_449_600])
    }

    @Test("The day of every number of seconds can be said", arguments: [Int64.min, .min + 1, -1, 0, .max])
    func days(seconds: Int64) {
        #expect(!Timestamps.day(of: seconds).isEmpty)
        #expect(Timestamps.day(of: -1) == "1969-12-31" && Timestamps.day(of: 0) == "1970-01-01")
    }
}
