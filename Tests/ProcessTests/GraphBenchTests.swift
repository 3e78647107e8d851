import Foundation
import PeerTestSupport
import Testing

@Suite("Forgetting on embeddings, at the command line", .waiting)
struct GraphBenchTests {
    @Test("Every correction is measured beside retraining, with and without spillover", arguments: ["mf", "lightgcn"])
    func corrections(model: String) throws {
        let result = try lethe([
            "bench", "graph", "--model", model, "--synthetic", "60:40:600", "--epochs", "60", "--seeds", "2", "--json",
        ])
        #expect(result.status == 0, "\(result.errors)")
        let runs = try #require(result.json["runs"] as? [[String: Any]])
        #expect(runs.compactMap { $0["seed"] as? Int } == [1, 2])
        for run in runs {
            let corrections = try #require(run["corrections"] as? [[String: Any]])
            #expect(Set(corrections.compactMap { $0["pruning"] as? Double }).isSuperset(of: [0, 0.4, 0.8]))
            // A matrix factorisation has no graph to spill over.
            let spillover = Set(corrections.compactMap { $0["spillover"] as? Bool })
            #expect(spillover == (model == "mf" ? [true] : [true, false]))
            for correction in corrections {
                let quality = try #require(correction["quality"] as? [String: Any])
                #expect((quality["auc_test"] as? Double).map { (0...1).contains($0) } == true)
                #expect((correction["seconds"] as? Double).map { $0 > 0 } == true)
            }
        }
    }

    @Test("Data that cannot be made up or read is refused as a wrong argument")
    func refused() throws {
        #expect(try lethe(["bench", "graph"]).status == 64)
        #expect(try lethe(["bench", "graph", "--synthetic", "1:1:1"]).status == 64)
        #expect(try lethe(["bench", "graph", "--synthetic", "60:40:600", "--format", "csv"]).status == 64)
        #expect(try lethe(["bench", "graph", "--format", "csv", "/nowhere.csv"]).status == 65)
    }
}
