import Foundation
import Messages
import Testing

@testable import Gateway

@Suite("The training that pending requests wait for")
struct OwedRetrainingTests {
    private func shard(_ number: Int, seconds: Double?, fallback: String? = nil) -> String {
        #"{"shard":\#(number),"state":"training","prompts":4,"manifest":"m","prepared":false,"held":true"#
            + (seconds.map { #","training_seconds":\#($0)"# } ?? "")
            + (fallback.map { #","fallback":"\#($0)""# } ?? "") + "}"
    }

    private func request(_ method: String, _ shards: [Int]) -> String {
        #"{"request":"r","method":"\#(method)","waiting_for":\#(shards),"unconfirmed":[],"waits":[]}"#
    }

    private func task(_ shard: Int, seconds: Double?) -> String {
        #"{"kind":"train","shard":\#(shard),"description":"d""#
            + (seconds.map { #","seconds_remaining":\#($0)"# } ?? "") + "}"
    }

    private func metrics(shards: [String], requests: [String], tasks: [String] = []) throws -> String {
        let worker =
            #"{"id":"w","name":"n","state":"live","last_seen_seconds":0,"threads":1,"shards":[],"holds":[],"copies":[],"tasks":["#
            + tasks.joined(separator: ",") + "]}"
        let lists = (shards.joined(separator: ","), requests.joined(separator: ","))
        let body = FakeReplies.status
            .replacing(/"shards":\[.*?\],"operations"/, with: #""shards":[\#(lists.0)],"operations""#)
            .replacing(
                /"pending_forgets":\[.*\],"pending_forgets_total"/,
                with: #""pending_forgets":[\#(lists.1)],"pending_forgets_total""#
            )
            .replacing(#""workers":[]"#, with: #""workers":[\#(worker)]"#)
        let status = try ReplyCoding.decode(StatusReply.self, from: Data(body.utf8))
        var text = PrometheusText()
        text.add(
            ClusterView.Seen(body: Data(), status: status, pending: [], latest: [], auditHead: nil), dueDays: 30,
            now: Date(timeIntervalSince1970: 0))
        return text.text
    }

    @Test("A shard counts once, however many wait for it, and with what is left of a training that runs")
    func shards() throws {
        let shards = [shard(0, seconds: 10), shard(1, seconds: 20), shard(2, seconds: 40), shard(3, seconds: nil)]
        let text = try metrics(
            shards: shards, requests: [request("apa", [0, 1]), request("apa", [1, 3])],
            tasks: [task(1, seconds: 4.5), task(0, seconds: nil), task(2, seconds: 7)])
        #expect(text.contains("lethe_retraining_owed_seconds 14.5\n"))
        #expect(!text.contains("lethe_requests_nearest_due_seconds"), "nothing is pending in the list of requests")
    }

    @Test("What is corrected is not retrained, unless it could not be corrected")
    func corrections() throws {
        let shards = [shard(0, seconds: 10), shard(1, seconds: 20, fallback: "too many corrections")]
        let text = try metrics(shards: shards, requests: [request("ifru", [0, 1])])
        #expect(text.contains("lethe_retraining_owed_seconds 20\n"))
    }

    @Test("Nothing is owed where nothing is pending")
    func nothing() throws {
        let text = try metrics(shards: [shard(0, seconds: 10)], requests: [])
        #expect(text.contains("lethe_retraining_owed_seconds 0\n"))
    }
}
