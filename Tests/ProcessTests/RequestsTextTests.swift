import Foundation
import Messages
import Testing
import lethe

@Suite("What requests shows people")
struct RequestsTextTests {
    private func listed(_ name: String, _ number: Int, finished: String? = nil) throws -> DueRequest {
        let request = RequestsReply.Request(
            number: number, request: name, state: finished == nil ? .pending : .finished, method: "apa",
            received: "2026-01-0\(number)T03:04:05.000Z", finished: finished)
        return try DueRequest(request, dueDays: 30, now: #require(Date(iso8601: "2026-02-01T12:00:00.000Z")))
    }

    @Test("A request that is not finished on its day is overdue; what is finished never is")
    func text() throws {
        let requests = [
            try listed("late", 1), try listed("in time", 3),
            try listed("done", 1, finished: "2026-01-09T00:00:00.000Z"),
        ]
        #expect(requests.map(\.overdue) == [true, false, false])
        #expect(requests.map(\.due).first == "2026-01-31T03:04:05.000Z")
        let lines = RequestsText(requests, pending: false).text(width: 80).split(separator: "\n")
        #expect(lines.count == 4 && lines[0].hasPrefix("request") && lines[0].hasSuffix("due"))
        #expect(lines[1] == "late     overdue   2026-01-01 03:04  2026-01-31")
        #expect(lines[2].contains("pending") && lines[3].contains("finished"))
        #expect(RequestsText([], pending: true).text(width: 80).contains("pending"))
    }

    @Test("Names as long as they may be, and such as no terminal should be shown, stay within 80 columns")
    func width() throws {
        let names = [UUID().uuidString, String(repeating: "x", count: 128), "a\u{1B}[2Jb\u{202E}"]
        let requests = try names.enumerated().map { try listed($1, $0 + 1) }
        let text = RequestsText(requests, pending: false).text(width: 80)
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 })
        #expect(text.contains(names[0]) && !text.contains("\u{1B}") && !text.contains("\u{202E}"))
    }

    @Test("Any millisecond of a receipt is the same one of the day on which it is due")
    func milliseconds() throws {
        for millisecond in 0..<1000 {
            let fraction = String("00\(millisecond)".suffix(3))
            let request = RequestsReply.Request(
                number: 1, request: "r", state: .pending, method: "apa", received: "2026-11-29T21:04:05.\(fraction)Z")
            let due = try DueRequest(request, dueDays: 30, now: Date(timeIntervalSince1970: 0)).due
            #expect(due == "2026-12-29T21:04:05.\(fraction)Z")
        }
    }

    @Test("A receipt that is no time is an error, not a date")
    func noTime() {
        let request = RequestsReply.Request(
            number: 1, request: "r", state: .pending, method: "apa", received: "yesterday")
        #expect(throws: ClientError.self) { try DueRequest(request, dueDays: 30, now: Date()) }
    }
}
