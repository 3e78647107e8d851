import ClusterTestSupport
import Messages
import Testing
import Unlearning
import Worker

@Suite("Worker progress")
struct WorkerProgressTests {
    @Test("The first and the last step are reported, in between four a second, with rate and estimate")
    func pace() {
        var pace = ProgressPace()
        var sent: [WorkerMessage.TaskProgress] = []
        for step in 1...100 {
            let progress = TrainingProgress(
                step: step, steps: 100, epoch: 0, loss: 1, tokens: step * 50, totalTokens: 5000)
            if let message = pace.message(progress, seconds: Double(step) / 50) { sent.append(message) }
        }
        #expect((8...11).contains(sent.count))
        #expect(sent.first?.step == 1 && sent.last?.step == 100)
        #expect(sent.allSatisfy { abs($0.tokensPerSecond - 2500) < 1e-6 })
        #expect(sent.last?.secondsRemaining == 0)
        #expect(abs((sent.first?.secondsRemaining ?? 0) - 1.98) < 1e-6)
    }
}
