import Client
import Files
import Foundation
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import Messages
import NIOCore
import NIOSSL
import ServiceLifecycle
import ZeroMQ

/// HTTP before a coordinator: an own process, or inside the coordinator's.
///
/// Questions are forwarded; or, with a model of its own, answered here for as long as the coordinator lets it (`OwnAnswers`), so that
/// what an acknowledged forget took away cannot be told (invariant 2) whichever gateway is asked. No answer is kept.
public struct GatewayServer: Sendable {
    private let options: GatewayOptions
    private let access: AccessControl
    /// nil: questions are forwarded.
    private let answers: OwnAnswers?
    /// Why it cannot answer any more.
    private let failure = AsyncStream<any Error>.makeStream()
    private let pools: ConnectionPools
    private let responder: GatewayResponder
    private let draining = Draining()
    private let connections: ConnectionRegister
    private let encryption: TLSConfiguration?
    private let logger: Logger

    /// - Parameters:
    ///   - options: checked here.
    ///   - logger: ids and numbers, never content.
    ///   - answering: with what it answers itself, and over which connection it is let; nil: it forwards.
    ///   - connect: makes a connection to the coordinator; called by each thread that needs one.
    /// - Throws: `GatewayError`; whatever `connect` throws for an endpoint or keys that cannot be used.
    public init(
        options: GatewayOptions, logger: Logger,
        answering: (model: GatewayOptions.Model, connect: @Sendable () throws -> ServingLink)? = nil,
        connect: @escaping @Sendable () throws -> CoordinatorClient
    ) throws {
        try options.check()
        // A reader that stops before the end of a pipe is an error of the writer, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let share = DescriptorShare(of: OpenFiles.raiseLimit(), most: options.limits.connections, isAlone: true)
        if share.connections < options.limits.connections {
            logger.notice("room for \(share.connections) connections: the process may have no more files open")
        }
        var options = options
        options.limits.connections = share.connections
        self.options = options
        self.logger = logger
        access = try AccessControl(
            path: options.tokens, door: options.opensLoopback ? .everybody : .owners(SocketOwners()), logger: logger)
        encryption = try options.certificate.map(Self.encryption)
        // Before anything listens: an endpoint that is none is told now.
        _ = try connect()
        let outage = CoordinatorOutage(logger: logger)
        let watched: @Sendable () throws -> any CoordinatorConnection = {
            WatchedConnection(client: try connect(), outage: outage)
        }
        pools = ConnectionPools(options.limits, connect: watched)
        let failed = failure.continuation
        let answers = try answering.map { answering in
            _ = try answering.connect()
            return try OwnAnswers(model: answering.model, logger: logger, connect: answering.connect) {
                failed.yield($0)
            }
        }
        self.answers = answers
        var ownAnswer: (@Sendable (CoordinatorDoor.Asking) async throws -> CoordinatorDoor.Answers)?
        if let answers { ownAnswer = { try await answers.ask($0) } }
        let door = pools.door(answer: ownAnswer)
        connections = ConnectionRegister(limit: options.limits.connections, logger: logger)
        let metrics = Metrics(connections: connections)
        responder = GatewayResponder(
            table: RouteTable(
                door: door, metrics: metrics, draining: draining, options: options,
                answering: answers?.state), access: access,
            metrics: metrics, logger: logger, bodies: BodyBudget(limit: options.limits.bodies))
    }

    /// Serves until it is told to stop; then it finishes what it has begun.
    ///
    /// - Parameters:
    ///   - stop: returns when the gateway is to end.
    ///   - whenListening: called with the address, as a client writes it.
    /// - Throws: `GatewayError.listening`.
    public func run(
        until stop: @escaping @Sendable () async -> Void, whenListening: @escaping @Sendable (String) -> Void
    ) async throws {
        let address = options.listen
        let connections = options.limits.connections
        let limit = connections + DescriptorShare.closing(of: connections)
        let application = Application(
            responder: responder, server: try server,
            configuration: .init(
                address: .hostname(address.host, port: address.port),
                availableConnectionsDelegate: .maximum(limit, logger: logger)),
            onServerRunning: { channel in
                whenListening(address.url(port: channel.localAddress?.port ?? address.port))
            }, logger: quietLogger)
        var configuration = ServiceGroupConfiguration(services: [application], logger: quietLogger)
        configuration.maximumGracefulShutdownDuration = Self.patience + .seconds(5)
        let group = ServiceGroup(configuration: configuration)
        defer { giveUp() }
        let ended = Locked<(any Error)?>(nil)
        let stopping = Task {
            let reason = await whenToEnd(stop)
            // Nothing could listen: there is nothing to finish.
            try Task.checkCancellation()
            ended.withLock { $0 = reason }
            draining.begin()
            logger.info("the gateway takes nothing new and finishes what it has begun")
            try await Task.sleep(for: options.drain)
            await group.triggerGracefulShutdown()
            // What the coordinator does not answer is given up, or the server would wait for it.
            try await Task.sleep(for: Self.patience)
            giveUp()
        }
        defer { stopping.cancel() }
        let result: Result<Void, any Error>
        do {
            result = .success(try await group.run())
        } catch {
            result = .failure(
                GatewayError.listening("cannot serve at \(address.url(port: address.port)): \(error)"))
        }
        giveUp()
        await answers?.ended()
        try result.get()
        if let error = ended.withLock({ $0 }) { throw error }
    }

    /// Waits for whoever stops the gateway, or for what makes it useless.
    private func whenToEnd(_ stop: @escaping @Sendable () async -> Void) async -> (any Error)? {
        await withTaskGroup(of: (any Error)?.self) { group in
            group.addTask {
                await stop()
                return nil
            }
            group.addTask { [failure] in
                for await error in failure.stream { return error }
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }

    /// For what has begun when it is told to stop.
    private static let patience = Duration.seconds(25)

    /// Who waits for the coordinator is told that nothing will come.
    public func giveUp() {
        pools.stop()
        answers?.stop()
    }

    /// Reads the tokens again.
    public func reload() { access.reload() }

    /// The server's own lines say nothing that an operator needs.
    private var quietLogger: Logger {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        return quiet
    }

    private var server: HTTPServerBuilder {
        get throws {
            let connections = connections
            let unread = TimeAmount.seconds(Int64(options.limits.unreadSeconds))
            let pace = TimeAmount.seconds(Int64(options.limits.bodySeconds))
            let unsent = TimeAmount.seconds(Int64(options.limits.unsentSeconds))
            let http = HTTPServerBuilder.http1(
                configuration: .init(
                    additionalChannelHandlers: [
                        ClientConnection.Handler(), ConnectionRegister.Handler(connections),
                        StalledWriteHandler(limit: unsent), LastCheckHandler(), UnreadBodyHandler(limit: unread),
                        BodyPaceHandler(limit: pace), ContinueHandler(),
                    ],
                    idleTimeout: .seconds(Int64(options.limits.idleSeconds))))
            return try encryption.map { try .tls(http, tlsConfiguration: $0) } ?? http
        }
    }

    private static func encryption(_ files: (chain: String, key: String)) throws(GatewayError) -> TLSConfiguration {
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(files.chain).map(NIOSSLCertificateSource.certificate)
            let key = try NIOSSLPrivateKey(file: files.key, format: .pem)
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain, privateKey: .privateKey(key))
            configuration.minimumTLSVersion = .tlsv12
            configuration.applicationProtocols = ["http/1.1"]
            // Only together they tell that the key is another certificate's.
            _ = try NIOSSLContext(configuration: configuration)
            return configuration
        } catch {
            throw .certificate("\(files.chain) and \(files.key) are no certificate and its key in PEM: \(error)")
        }
    }
}

extension RouteTable {
    /// Everything that the gateway knows.
    init(
        door: CoordinatorDoor, metrics: Metrics, draining: Draining, options: GatewayOptions,
        answering: (@Sendable () -> (hasLease: Bool, questions: QuestionCounts))? = nil,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        let (limits, view) = (options.limits, ClusterView(door))
        routes =
            QuestionRoutes(door: door, limits: limits).routes
            + ForgettingRoutes(door: door, limits: limits, dueDays: options.dueDays, now: now).routes
            + InteractionsRoute(door: door, limits: limits, slots: Slots(limits.imports)).routes
            + ObservingRoutes(
                door: door, view: view, metrics: metrics, draining: draining, dueDays: options.dueDays,
                views: Slots(limits.views), answering: answering, now: now
            ).routes + HealthRoutes(view: view, draining: draining, answering: answering).routes + PageRoutes().routes
    }
}
