import Foundation
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("How far an interpolation says that forgotten margins come")
struct IFRUWayTests {
    private static let prompts = letterPrompts(40, seed: 4)

    private static func calibration(_ overshoots: String, way: String = "") throws -> InfluenceCalibration {
        try InfluenceSupport.calibration(#""damping":1,"overshoots":[\#(overshoots)]\#(way)"#)
    }

    @Test("Each size has its own, between two on a straight line; one of before has that of the trial")
    func shares() throws {
        let known = try Self.calibration(
            #"{"share":0.1,"factor":1,"way":0.8},{"share":0.2,"factor":2,"way":0.4}"#, way: #","way":0.8"#)
        #expect(known.solution == .interpolation)
        #expect([0, 0.1, 0.2, 0.9].map { known.way(share: $0) } == [0.8, 0.8, 0.4, 0.4])
        #expect(abs(try #require(known.way(share: 0.15)) - 0.6) < 1e-12)
        let before = try Self.calibration(
            #"{"share":0.1,"factor":1},{"share":0.2,"factor":2}"#, way: #","way":0.8"#)
        #expect([0, 0.15, 0.9].map { before.way(share: $0) } == [0.8, 0.8, 0.8])
        #expect(try Self.calibration(#"{"share":0.1,"factor":1}"#).way(share: 0.1) == nil)
        for each in [known, before] {
            #expect(try JSONDecoder().decode(InfluenceCalibration.self, from: JSONEncoder().encode(each)) == each)
        }
    }

    @Test("The change of margins that a correction states follows the way of its size; the weights do not")
    func stated() throws {
        let adapter = try LinearModel.optimum(Self.prompts, ridge: 0.05)
        func result(_ overshoot: String) throws -> IFRU.Result {
            let preparation = try InfluenceSupport.prepared(
                adapter, Self.prompts,
                calibration: #""damping":1,"overshoots":[{"share":0.1,"factor":1.5\#(overshoot)}],"way":0.9"#)
            return try InfluenceSupport.unlearn(
                adapter, preparation, InfluenceRequest(direct: Array(Self.prompts[..<4])))
        }
        let (before, half) = (try result(""), try result(#","way":0.45"#))
        #expect(before.corrected.adapter == half.corrected.adapter)
        let (said, less) = (try #require(before.report.forgottenMargins), try #require(half.report.forgottenMargins))
        #expect(said.prompts == 4 && said.meanFromLabel > 0.1)
        #expect(abs(less.meanFromLabel - said.meanFromLabel / 2) < 1e-9 * said.meanFromLabel)
    }
}
