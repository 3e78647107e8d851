import Foundation
import Messages
import Testing

@Suite("Times in replies")
struct ReplyTimesTests {
    private let reply = ForgetReply(
        outcome: ForgetOutcome(
            request: "r", received: Date(timeIntervalSince1970: 1_790_000_013.5), counts: ForgetCounts(users: 1),
            shards: [0], waitingFor: [0], droppedAdapters: [], alreadyForgotten: 0))

    private func received(_ data: Data) throws -> Any? {
        let object = try JSONSerialization.jsonObject(with: data) as? [String: Any]
        return (object?["outcome"] as? [String: Any])?["received"]
    }

    @Test func `Whoever is not of the cluster gets text in ISO 8601`() throws {
        #expect(try received(ReplyCoding.show(reply)) as? String == "2026-09-21T14:13:33.500Z")
    }

    @Test func `Inside of the cluster they stay what clients of releases before read`() throws {
        let data = try ReplyCoding.encode(reply)
        #expect((try received(data) as? NSNumber)?.doubleValue == reply.outcome.received.timeIntervalSinceReferenceDate)
        let older = JSONDecoder()
        older.keyDecodingStrategy = .convertFromSnakeCase
        #expect(try older.decode(ForgetReply.self, from: data).outcome == reply.outcome)
    }

    @Test func `Both forms are read, and nothing else`() throws {
        for data in [try ReplyCoding.encode(reply), try ReplyCoding.show(reply)] {
            #expect(try ReplyCoding.decode(ForgetReply.self, from: data).outcome == reply.outcome)
        }
        let text = String(decoding: try ReplyCoding.show(reply), as: UTF8.self)
        for wrong in ["yesterday", "", "2026-09-21"] {
            let broken = Data(text.replacing("2026-09-21T14:13:33.500Z", with: wrong).utf8)
            #expect(throws: DecodingError.self) { try ReplyCoding.decode(ForgetReply.self, from: broken) }
        }
    }
}
