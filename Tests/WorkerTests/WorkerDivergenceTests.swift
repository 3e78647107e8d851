import ClusterTestSupport
import Messages
import Testing
import Unlearning
import Worker

@Suite("Worker process: stages that lead to numbers that are none, and trainings that do", .serialized)
struct WorkerDivergenceTests {
    /// What the worker says of task 1 until it is done or has failed.
    private func conversation(_ coordinator: ScriptedCoordinator) throws -> [WorkerMessage] {
        var said: [WorkerMessage] = []
        _ = try coordinator.expect { message -> Bool? in
            switch message {
            case .staged, .withdrawn: said.append(message)
            case .trained(1, _, _), .failed(1, _, _):
                said.append(message)
                return true
            default: break
            }
            return nil
        }
        return said
    }

    @Test("A bad stage is withdrawn once that shows, and replaced; the adapter is that of a training from the start")
    func badStage() throws {
        let slices = try TrainedSlices(prompts: 24)
        let staged = StagedWorker(slices)
        let bad = try slices.stages[1].flooded(.firstMoments)
        let (coordinator, worker, _) = try staged.start(with: [slices.stages[0], bad])
        try coordinator.say(.assign(slices.assignment()))
        let said = try conversation(coordinator)
        // Offered, taken back, and offered again as the training from the start leaves it.
        #expect(said.offeredSlices == [2, 2])
        guard said.count == 4, case .staged(_, let offered, _) = said[0] else {
            Issue.record("\(said)")
            return
        }
        #expect(said[1] == .withdrawn(task: 1, stage: offered.adapter))
        guard case .trained(_, let report, let adapter)? = said.last else {
            Issue.record("\(said)")
            return
        }
        let whole = try slices.train()
        #expect(adapter == whole.adapter.safetensorsBytes() && report.slices?.first == 1)
        try worker.stop()
        #expect(try staged.keptStages() == slices.stages)
    }

    @Test("A training that diverges keeps its good stages however often it is tried, and its failure says what to do")
    func diverging() throws {
        let slices = try TrainedSlices.diverging()
        let staged = StagedWorker(slices)
        let (coordinator, worker, _) = try staged.start(with: slices.stages)
        for _ in 0..<3 {
            try coordinator.say(.assign(slices.assignment()))
            let said = try conversation(coordinator)
            guard case .failed(_, .notFinite, let message)? = said.last else {
                Issue.record("\(said)")
                return
            }
            #expect(message.contains("diverges") && message.contains("--learning-rate"), "\(message)")
            #expect(message.contains("\(slices.specification.learningRate)"))
        }
        try worker.stop()
        #expect(try staged.keptStages() == slices.stages)
    }
}
