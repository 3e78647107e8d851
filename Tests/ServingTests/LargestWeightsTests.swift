import Serving
import Testing

@Suite struct LargestWeightsTests {
    private func row(_ large: [Int: Float], members: Int) -> [Float] {
        let rest = (1 - large.values.reduce(0, +)) / Float(members - large.count)
        return (0..<members).map { large[$0] ?? rest }
    }

    @Test func `Up to sixteen adapters all are computed`() {
        let weights = row([3: 0.999], members: 16)
        let (chosen, leftOut) = LargestWeights.chosen(weights, members: 16)
        #expect(chosen == weights && leftOut == [0])
    }

    @Test func `Of more those are computed that carry 99 % of the weight, scaled to one`() {
        let weights = row([3: 0.6, 17: 0.395], members: 20)
        let (chosen, leftOut) = LargestWeights.chosen(weights, members: 20)
        #expect(chosen.indices.filter { chosen[$0] != 0 } == [3, 17])
        #expect(abs(chosen[3] - 0.6 / 0.995) < 1e-6 && abs(chosen.reduce(0, +) - 1) < 1e-6)
        #expect(leftOut.count == 1 && abs(leftOut[0] - 0.005) < 1e-6)
    }

    @Test func `Equal weights are not thinned out by more than a hundredth, and of equals the first stay`() {
        let weights = [Float](repeating: 1 / 400, count: 400)
        let chosen = LargestWeights.chosen(weights, members: 400).weights
        let kept = chosen.indices.filter { chosen[$0] != 0 }
        #expect(kept.count >= 396 && kept == Array(0..<kept.count))
    }

    @Test func `Each question has its own`() {
        let weights = row([0: 0.995], members: 17) + row([16: 0.995], members: 17)
        let (chosen, leftOut) = LargestWeights.chosen(weights, members: 17)
        #expect(chosen.indices.filter { chosen[$0] != 0 } == [0, 33] && leftOut.count == 2)
    }

    @Test func `The base model alone has none`() {
        let (chosen, leftOut) = LargestWeights.chosen([], members: 0)
        #expect(chosen.isEmpty && leftOut.isEmpty)
    }
}
