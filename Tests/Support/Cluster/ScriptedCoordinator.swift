import Coordination
import Foundation
import Ledger
import Logging
import Messages
import Testing
import Worker
import ZeroMQ

/// The coordinator's side of one worker's conversation, said line by line by a test.
package final class ScriptedCoordinator {
    package let endpoint: String
    private let router: Socket
    private var peer: [UInt8] = []
    private var portions = PortionExchange(limit: WireLimits.message)
    private let clock = ContinuousClock()
    private let start = ContinuousClock.now

    package init(context: Context, endpoint: String = "tcp://127.0.0.1:*", options: SocketOptions = SocketOptions())
        throws
    {
        router = try Socket(context, .router, options: options)
        self.endpoint = try router.bind(endpoint)
    }

    /// How long something may take that has to come: a machine that is busy with other tests is slow, not wrong.
    package static let patience = Duration.seconds(300)

    /// The next message that is wanted; heartbeats and others are passed over.
    package func expect<Value>(
        within timeout: Duration = patience, sourceLocation: SourceLocation = #_sourceLocation,
        _ want: (WorkerMessage) -> Value?
    ) throws -> Value {
        try #require(try find(within: timeout, want), "no such message", sourceLocation: sourceLocation)
    }

    /// nil if no such message comes in time.
    package func find<Value>(within timeout: Duration, _ want: (WorkerMessage) -> Value?) throws -> Value? {
        let deadline = clock.now + timeout
        while clock.now < deadline {
            guard let frames = try router.receive() else {
                _ = try Poller([.socket(router)]).wait(timeout: deadline - clock.now)
                continue
            }
            guard let whole = try whole(Array(frames.dropFirst())) else { continue }
            let message = try WorkerMessage(frames: whole)
            if case .hello = message {
                peer = frames[0]
                portions = PortionExchange(limit: WireLimits.message)
            }
            if let value = want(message) { return value }
        }
        return nil
    }

    /// Waits for the hello and welcomes the worker.
    package func welcome(
        to cluster: String = "test", heartbeatSeconds: Double = 1, work: [TaskID] = [],
        within timeout: Duration = patience
    ) throws -> WorkerMessage.Hello {
        let hello = try expect(within: timeout) { if case .hello(let hello) = $0 { hello } else { nil } }
        try say(
            .welcome(
                CoordinatorMessage.Welcome(
                    cluster: cluster, heartbeatSeconds: heartbeatSeconds, liveness: 3, work: work)))
        return hello
    }

    /// What is long goes in portions, those behind the first ones while a message is waited for.
    package func say(_ message: CoordinatorMessage) throws {
        for frames in try portions.outgoing.send(Parcel(message), at: now) { try sayRaw(frames) }
    }

    private var now: Double { (clock.now - start) / .seconds(1) }

    private func whole(_ frames: [[UInt8]]) throws -> [[UInt8]]? {
        guard PortionMessage.isOne(frames) else { return frames }
        let step = try portions.take(frames, at: now)
        for frames in step.given { try sayRaw(frames) }
        return step.whole
    }

    package func sayRaw(_ frames: [[UInt8]]) throws { try router.send([peer] + frames) }
}

/// A worker on a thread of this process.
package final class WorkerThread: Sendable {
    private let process: WorkerProcess
    private let ended: Mailbox<Result<Void, any Error>>

    package init(
        endpoint: String, dataDirectory: String?, precision: WorkerConfiguration.PrecisionChoice = .fixed(.f32),
        curve: WorkerConfiguration.CurveKeys? = nil, delay: Duration = .zero,
        disposal: WorkerConfiguration.DataDisposal = .kept,
        abandonedAfter: Duration = WorkerConfiguration.abandonedAge,
        environment: [String: String] = ProcessInfo.processInfo.environment, lines: KeptLines? = nil,
        name: String? = nil, grace: Duration = .zero, health: String? = nil
    ) throws {
        var configuration = WorkerConfiguration(
            coordinator: endpoint, model: "toy", dataDirectory: dataDirectory, threads: .fixed(1), precision: precision,
            curve: curve, disposal: disposal, abandonedAfter: abandonedAfter, name: name, grace: grace)
        configuration.health = health
        var logger = Logger(label: "worker")
        logger.logLevel = .critical
        if let lines { logger = lines.logger }
        let process = try WorkerProcess(configuration: configuration, logger: logger, environment: environment) {
            precision in
            Toy.executor(precision: precision, delay: delay)
        }
        let ended = try Mailbox<Result<Void, any Error>>()
        self.process = process
        self.ended = ended
        Thread { ended.post(Result { try process.run() }) }.start()
    }

    /// Stops the worker and gives back how `run` ended.
    package func stop() throws {
        process.stop()
        try wait()
    }

    /// Asks the worker to end as SIGTERM does.
    package func leave() { process.leave() }

    package func wait(within timeout: Duration = ScriptedCoordinator.patience) throws {
        try #require(ended.take(timeout: timeout).first, "the worker did not end").get()
    }
}
