import Foundation
import Testing

/// Tests that wait for processes, sockets or time. They have threads of their own: the few threads that all other tests share
/// are as many as there are cores, and who waits on one of them keeps the others from computing.
public struct WaitingTests: SuiteTrait, TestTrait, TestScoping {
    public var isRecursive: Bool { true }

    public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(WaitingExecutor.shared) { try await function() }
    }
}

extension Trait where Self == WaitingTests {
    /// See `WaitingTests`.
    public static var waiting: Self { Self() }
}

private final class WaitingExecutor: TaskExecutor {
    static let shared = WaitingExecutor()

    private let queue = OperationQueue()

    private init() {
        // Each starts several processes, which compute and have their time limits.
        queue.maxConcurrentOperationCount = 4
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.addOperation { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
