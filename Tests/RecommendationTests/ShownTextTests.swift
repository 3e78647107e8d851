import Recommendation
import Testing

@Suite("What reports repeat of a file")
struct ShownTextTests {
    private let hostile = "\u{1B}[2J\u{1B}]0;owned\u{07}\r\u{202E}"

    private func isPlain(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: false
            default: true
            }
        }
    }

    @Test("Reasons move no cursor and make no lines of their own")
    func reasons() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(
            "r.csv", "user,item,rating,item_title\na,i,\"\(hostile)\nrefused x.csv:9: made up\",T\nb,i,4,T\n")
        let samples = try ReadData(.csv, file).report.samples
        #expect(samples.count == 1 && samples.allSatisfy { isPlain($0.reason) }, "\(samples)")
    }

    @Test("Errors that name the columns of a file are as plain")
    func columns() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("r.csv", "user,item,stars\(hostile)\na,i,4\n")
        #expect {
            try ReadData(.csv, file)
        } throws: { isPlain("\($0)") && "\($0)".contains("stars") }
    }
}
