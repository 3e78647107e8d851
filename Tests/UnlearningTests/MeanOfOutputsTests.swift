import Testing
import TrainingTestSupport
import Unlearning

@Suite("The mean of outputs")
struct MeanOfOutputsTests {
    @Test("is the mean of the margins, prompt by prompt")
    func margins() {
        #expect(MeanOfOutputs.margins([[1, -2, 0], [3, 2, 0.5]]) == [2, 0, 0.25])
        #expect(MeanOfOutputs.margins([]).isEmpty)
    }
}
