import Foundation
import PeerTestSupport
import Testing

@Suite("What slices save, at the command line", .waiting)
struct SlicesBenchTests {
    @Test("Tokens that a forgotten user costs are counted for each number of slices")
    func counted() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lethe-test-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let model = folder.appendingPathComponent("model")
        let data = folder.appendingPathComponent("ratings.csv")
        try TinyModelDirectory.write(to: model)
        try Ratings.csv(users: 60).write(to: data, atomically: true, encoding: .utf8)
        let common =
            ["bench", "slices", "--format", "csv", data.path, "--model", model.path] + ["--shards", "2", "--json"]
        let result = try lethe(common)
        #expect(result.status == 0, "\(result.errors)")
        let costs = try #require(result.json["costs"] as? [[String: Any]])
        #expect(costs.compactMap { $0["slices"] as? Int } == [1, 2, 4, 8])
        let again = costs.compactMap { $0["retrained"] as? Double }
        #expect(again.first == costs.first?["shard"] as? Double)
        #expect(again == again.sorted(by: >) && Set(again).count == 4)
        #expect(result.json["users"] as? Int == 60 && (result.json["tokens"] as? Int ?? 0) > 0)
        let one = try lethe(common + ["--slices", "3"])
        #expect((one.json["costs"] as? [[String: Any]])?.count == 1)
        #expect(try lethe(common + ["--slices", "0"]).status == 64)
    }
}
