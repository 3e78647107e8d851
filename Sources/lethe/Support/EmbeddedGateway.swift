import Client
import Dispatch
import Files
import Foundation
import Gateway
import Logging

/// A gateway inside the coordinator's process: a client of it like any other, so that a first user needs one process.
final class EmbeddedGateway: @unchecked Sendable {
    private let options: GatewayOptions
    /// Files and connections that it may have open, of those that the process may.
    let descriptors: Int
    private let logger: Logger
    private let stopping: AsyncStream<Void>
    private let stop: AsyncStream<Void>.Continuation
    private let isDone = DispatchSemaphore(value: 0)
    /// Written before the semaphore is signalled, read after.
    private var error: (any Error)?
    private var isStarted = false

    /// - Parameters:
    ///   - listen: HOST:PORT, with or without `http://`.
    ///   - security: whether the coordinator asks its clients for keys.
    ///   - opensLoopback: whether every user of this machine is answered.
    /// - Throws: `CommandFailure`, `GatewayError`.
    init(listen: String, security: Bool, opensLoopback: Bool, log: LogOptions) throws {
        logger = try log.logger("gateway")
        let address = try ListenAddress(parsing: listen.contains("://") ? listen : "http://" + listen)
        guard address.isLoopback, !security else {
            throw CommandFailure(
                .usage,
                "--http serves this machine, before a coordinator without keys; beyond that run lethe gateway, which has "
                    + "keys, tokens and TLS")
        }
        var options = GatewayOptions(listen: address)
        options.opensLoopback = opensLoopback
        let share = DescriptorShare(of: OpenFiles.raiseLimit(), most: options.limits.connections, isAlone: false)
        if share.connections < options.limits.connections {
            logger.notice("room for \(share.connections) connections: the process may have no more files open")
        }
        options.limits.connections = share.connections
        descriptors = share.descriptors
        self.options = options
        try options.check()
        (stopping, stop) = AsyncStream<Void>.makeStream()
    }

    /// - Parameters:
    ///   - curve: what stands in for keys before this process's own coordinator; nil: it asks for none.
    ///   - whenFailed: called when it cannot serve.
    func start(before endpoint: String, curve: ClientCurve?, whenFailed: @escaping @Sendable () -> Void) {
        isStarted = true
        Task {
            do {
                let server = try GatewayServer(options: options, logger: logger) {
                    try CoordinatorClient(endpoint: endpoint, curve: curve, memory: .standard())
                }
                try await server.run { [stopping] in
                    for await _ in stopping {}
                } whenListening: { [logger] url in
                    logger.info("the gateway listens at \(url); its dashboard is there too")
                }
            } catch {
                self.error = error
                whenFailed()
            }
            isDone.signal()
        }
    }

    /// Finishes what it has begun.
    ///
    /// - Throws: what kept it from serving.
    func end() throws {
        guard isStarted else { return }
        stop.finish()
        isDone.wait()
        if let error { throw error }
    }
}
