import Experiments
import Foundation
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("The experiment of IFRU on embeddings")
struct GraphExperimentTests {
    private static func settings(_ forget: String, layers: Int = 0) throws -> GraphExperiment.Settings {
        GraphExperiment.Settings(
            model: GraphConfiguration(width: 4, layers: layers, steps: 200), regularisation: 0.6,
            forgetting: try #require(GraphForgetting(forget)), prunings: [0, 1])
    }

    private static func data(_ seed: UInt64 = 1) throws -> GraphData {
        try GraphData(synthetic: try #require(SyntheticSize("80:60:1200")), seed: seed)
    }

    @Test("Made-up data is the same for a seed, has its size, names no pair twice, and can be learned from")
    func synthetic() throws {
        let data = try Self.data()
        #expect(data.users == 80 && data.items == 60 && data.samples.count == 1200)
        #expect(Set(data.samples.map { [$0.user, $0.item] }).count == 1200)
        #expect(try Self.data().samples == data.samples)
        #expect(try Self.data(2).samples != data.samples)
        let share = Double(data.samples.count { $0.label }) / 1200
        #expect(share > 0.3 && share < 0.8)
        let larger = try GraphData(synthetic: try #require(SyntheticSize("200:100:5000")), seed: 1)
        var settings = try Self.settings("users:1")
        settings.regularisation = 2
        let report = try GraphExperiment(settings).run(larger, seed: 1)
        #expect(try #require(report.original.aucTest) > 0.58)
    }

    @Test("A pair that is rated again counts once, with its last rating")
    func repeated() {
        func interaction(_ user: String, _ item: String, _ rating: Double) -> Interaction {
            Interaction(user: user, item: item, timestamp: 0, rating: rating, ordinal: 0)
        }
        let data = GraphData(
            [interaction("b", "x", 5), interaction("a", "x", 3), interaction("b", "y", 4), interaction("b", "x", 1)],
            likeAbove: 3)
        #expect(data.users == 2 && data.items == 2)
        #expect(
            data.samples == [
                GraphSample(user: 0, item: 0, label: false), GraphSample(user: 1, item: 0, label: false),
                GraphSample(user: 0, item: 1, label: true),
            ])
    }

    @Test("What is to be forgotten is read from its text, and back")
    func text() {
        for text in ["noise:5%", "users:0.5%", "users:1", "interactions:10"] {
            #expect(GraphForgetting(text)?.text == text)
        }
        for text in ["", "users", "users:", "users:0", "users:-1", "users:60%", "users:x%", "all:1", "users:1:2"] {
            #expect(GraphForgetting(text) == nil, "\(text)")
        }
        for text in ["", "1:2", "1:2:3:4", "a:b:c"] { #expect(SyntheticSize(text) == nil, "\(text)") }
    }

    @Test("Sizes beyond reason and requests beyond the data are refused")
    func refused() throws {
        for text in ["0:5:1", "5:1:1", "10:10:26", "2000000:10:100", "-5:-5:1"] {
            #expect(throws: UnlearningError.self, "\(text)") {
                try GraphData(synthetic: try #require(SyntheticSize(text)), seed: 1)
            }
        }
        #expect(throws: UnlearningError.self) {
            try GraphExperiment(Self.settings("users:81")).run(Self.data(), seed: 1)
        }
    }

    @Test("Corrections come nearer to the retrained model than the original", arguments: [0, 1])
    func corrections(layers: Int) throws {
        let settings = try Self.settings("interactions:20", layers: layers)
        let report = try GraphExperiment(settings).run(Self.data(), seed: 1)
        #expect(report.forgottenSamples == 20 && report.trainingSamples + report.testSamples == 1200)
        #expect(report.retrained.distanceTest == 0 && report.retrained.parameterDistance == 0)
        #expect(report.touchedTestSamples > 0 && report.touchedTestSamples < report.testSamples)
        // Without a graph: all and touched nodes; with one: touched nodes by both reaches, all with and without spillover.
        #expect(report.corrections.count == (layers == 0 ? 2 : 6))
        for correction in report.corrections {
            #expect(correction.residual <= settings.tolerance && correction.seconds > 0)
            #expect(GraphExperiment.dampings.contains { abs($0 - correction.damping) < 1e-9 * $0 })
            #expect(correction.quality.distanceForgotten < report.original.distanceForgotten)
            #expect(correction.quality.distanceTouched < report.original.distanceTouched)
        }
        // The same again, but for the seconds.
        let again = try GraphExperiment(settings).run(Self.data(), seed: 1)
        #expect(again.corrections.map(\.quality) == report.corrections.map(\.quality))
    }

    @Test("Forgotten noise was trained with its labels turned round, and the whole user is forgotten")
    func kinds() throws {
        let noise = try GraphExperiment(Self.settings("noise:5%")).run(Self.data(), seed: 1)
        #expect(noise.forgottenSamples == Int((0.05 * Double(noise.trainingSamples)).rounded()))
        #expect(try #require(noise.original.aucForgotten) > (try #require(noise.retrained.aucForgotten)))
        let user = try GraphExperiment(Self.settings("users:2")).run(Self.data(), seed: 3)
        #expect(user.forgottenSamples > 2 && user.touchedTestSamples > 0)
    }
}
