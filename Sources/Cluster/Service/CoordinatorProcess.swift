import Coordination
import Crypto
import Files
import Foundation
import LanguageModels
import Ledger
import Logging
import Messages
import Serving
import Unlearning
import ZeroMQ

/// The coordinator as a process: a thin shell around the `Coordinator` value.
///
/// Seven threads. The one that calls `run` owns the socket and the value; it only decodes what is short, decides and sends, so
/// heartbeats are never late. Large requests are decoded on one (`LargeRequests`), and large messages of workers on one
/// (`WorkerMessages`). The ledger has a thread (`LedgerService`), what is read beside it has one (`LedgerReads`), what is made of
/// everybody's data has one, and queries have one (`QueryEngine`). They hand their results back through a mailbox.
package final class CoordinatorProcess: Sendable {
    enum Input: Sendable {
        case event(CoordinatorEvent)
        /// A write ended. Of a client's request that it was made for the audit log has its entry.
        case committed(LedgerCommandID, LedgerOutcome, noted: ClientTicket?, forgotten: ForgottenInputs?)
        case facts(LedgerFacts)
        /// Of the arrival no more than its head.
        case decoded(Arrival, Result<PeerMessage, any Error>)
        /// The same of what a worker said.
        case checked(Arrival, Result<PeerMessage, any Error>)
        case send(PeerID, Parcel)
        /// The answer to a request that cannot be read.
        case refusal(PeerID, [[UInt8]])
        /// A task that was to be made whole, and what it answers; nil: it cannot be.
        case dispatched(PeerID, WaitingTasks.Question?, (Dispatch, Parcel)?)
        /// The same, of one that is made beside the others.
        case built(PeerID, TaskID, Result<Parcel, ClientError>)
        case reply(ClientTicket, ClientReply)
        /// The entry of a request was written: it is answered now.
        case noted(ClientTicket, CoordinatorReply)
        /// What a question needs was read from the ledger.
        case collected(QuestionQueue.ComputationID, Result<CollectedQuestion, ClientError>)
        /// The same for a gateway.
        case material(ClientTicket, Result<QuestionMaterial, ClientError>)
        case leasesRecorded(LeaseRequest, ClientTicket, Result<Void, ClientError>)
        case engine(QueryEngine.News)
        case wasRead(ClientTicket, ReadRequest, generation: Int, attempt: Int, ClientReply)
        /// The ledger changed and could not be read.
        case readAgain
        /// Which keys may connect, read again.
        case keys(Result<AllowList, any Error>)
        case bindingsUnrecorded([(name: String, worker: String)], ClientError)
        /// Of a key that is not on the list, or without one.
        case connectionRefused(Authenticator.Refusal)
        /// The peer took more than it may.
        case connectionClosed(address: String, ConnectionClosing)
        /// Nobody gets in any more.
        case admissionFailed(ZeroMQError)
        /// Nothing more may be acknowledged or answered.
        case failed(LedgerError)
        case stop
    }

    let options: CoordinatorOptions
    let logger: Logger
    let inbox: Mailbox<Input>
    let store: SerialThread<LedgerService, LedgerWork>
    let reads: SerialThread<LedgerReads, @Sendable (LedgerReads) -> Void>
    let engine: SerialThread<QueryEngine, EngineWork>
    let decoding: SerialThread<Void, Arrival>
    let checking: SerialThread<Void, Arrival>
    let check: WorkerMessageCheck
    let building: SerialThread<Void, @Sendable () -> Void>
    let settings: CoordinatorSettings
    /// nil: nobody can connect yet.
    private let authenticator = Locked<Authenticator?>(nil)
    /// The ledger's, raw Ed25519.
    let publicKey: Data

    /// Loads the base model and opens the ledger.
    ///
    /// - Throws: `LanguageModelError`, `LedgerError`, `CoordinatorStartError`.
    package init(options: CoordinatorOptions, logger: Logger) throws {
        guard try options.listening().isLoopback || options.security != nil else {
            throw CoordinatorStartError.keysNeeded(endpoint: options.endpoint)
        }
        self.options = options
        self.logger = logger
        let model = try ModelLoader.load(path: options.model)
        for warning in model.warnings { logger.warning("\(warning)") }
        let precision = options.precision ?? .preferred
        let shape = model.checkpoint.configuration
        let configuration = options.cluster(
            base: model.checkpoint.digest, precision: precision, embedding: .standard(for: shape))
        try configuration.check(for: shape)
        if let objection = configuration.adaptersTooLarge(for: shape) {
            // A cluster that is there already goes on with what fits.
            guard FileManager.default.fileExists(atPath: options.dataDirectory.path + "/ledger.sqlite") else {
                throw LedgerError.invalidConfiguration(reason: objection)
            }
            logger.warning("\(objection)")
        }
        let directory = options.dataDirectory
        let accepted = options.accepted
        let takesOver = options.takesOver
        let start = options.start
        let keys = KeyOptions(
            folder: options.keysDirectory, master: options.masterKey, destroyed: options.destroyedKeys)
        let opened = try Mailbox<
            (cluster: String, publicKey: Data, generation: Generation, source: LedgerReader.Source)
        >()
        let inbox = try Mailbox<Input>()
        self.inbox = inbox
        store = try SerialThread(name: "ledger") {
            let ledger = try Ledger(
                directory: directory, configuration: configuration, keys: keys, accepting: accepted)
            for warning in ledger.keyWarnings { logger.warning("\(warning)") }
            try ledger.requireEmbeddings(ofWidth: shape.hidden, at: Date())
            let generation = try ledger.raiseGeneration(takeOver: takesOver, at: Date())
            try ledger.record(start)
            opened.post((ledger.cluster, ledger.publicKey, generation, ledger.readerSource))
            let service = LedgerService(ledger: ledger, model: shape)
            service.checksWords = { try model.tokenizer.check($0) }
            service.whenFactsChange = { inbox.post(.facts($0)) }
            service.whenDataChanges = { [unowned service] in inbox.post(service.changed()) }
            service.publishFacts()
            return service
        } perform: {
            $0.perform($1)
        }
        let threads = options.threads
        let cache = options.weightCache
        let arithmetic = try Mailbox<String>()
        engine = try SerialThread(name: "query") {
            let weights = try DecoderWeights(
                checkpoint: model.checkpoint, precision: Precision(precision), answerTokens: model.answerTokens,
                cacheDirectory: cache)
            let decoder = try Decoder(weights: weights, threads: threads)
            arithmetic.post(try ArithmeticFingerprint.compute(precision: precision, model: decoder))
            return QueryEngine(tokenizer: model.tokenizer, decoder: decoder)
        } perform: { engine, works in
            engine.perform(works) { inbox.post(.engine($0)) } ? .now : .none
        }
        let identity = opened.drain().first
        guard let source = identity?.source else {
            throw LedgerError.storage(path: directory.path, reason: "the ledger was not opened")
        }
        reads = try SerialThread(name: "reads") { try LedgerReads(source, model: shape) }
        decoding = try SerialThread(name: "requests") {
        } perform: { _, arrivals in
            for arrival in arrivals { inbox.post(.decoded(arrival.head, arrival.decoded)) }
            return .none
        }
        building = try SerialThread(name: "building") {
        } perform: { _, works in
            for work in works { work() }
            return .none
        }
        publicKey = identity?.publicKey ?? Data()
        let check = WorkerMessageCheck(cluster: identity?.cluster ?? "", publicKey: publicKey)
        self.check = check
        checking = try SerialThread(name: "workers") {
        } perform: { _, arrivals in
            for arrival in arrivals { inbox.post(.checked(arrival.head, check.decoded(arrival))) }
            return .none
        }
        let fingerprint = arithmetic.drain().first
        store.run { $0.arithmetic = fingerprint }
        settings = CoordinatorSettings(
            cluster: identity?.cluster ?? "", configuration: configuration, embeddingWidth: shape.hidden,
            arithmetic: fingerprint,
            // Above every id that an earlier run gave out: late answers to those must not be taken for new ones.
            firstTask: TaskID(Date().timeIntervalSince1970 * 1_000_000), doubleCheck: options.doubleCheck,
            generation: identity?.generation, expectedWorkers: options.expectedWorkers)
    }

    /// Serves until `stop`.
    ///
    /// - Parameter ready: called with the endpoint as bound.
    package func run(ready: (String) -> Void = { _ in }) throws {
        let endpointFile = options.dataDirectory.appendingPathComponent("endpoint")
        defer {
            try? FileManager.default.removeItem(at: endpointFile)
            engine.stop()
            decoding.stop()
            checking.stop()
            building.stop()
            // Who closes the database last empties its log.
            reads.stop()
            store.run { service in
                service.commitClosings()
                service.noteCounted(isEnd: true)
                try? service.ledger.close()
            }
            store.stop()
        }
        store.run { [store] service in
            service.later = { work in store.post(work) }
            service.continueImports()
        }
        // Before anybody can connect: those who wait for this port may take every descriptor that the process is allowed.
        let initial = try initialState()
        let local = try localKeys()
        let socket = try bind(local)
        let endpoint = socket.endpoint
        try announce(endpoint, in: endpointFile)
        let notes = local == nil ? [] : announceLocally(endpoint)
        defer { withExtendedLifetime(notes) {} }
        logger.notice("listening", metadata: ["endpoint": "\(endpoint)", "cluster": "\(settings.cluster)"])
        if let generation = settings.generation { logger.info("generation \(generation.counter)") }
        ready(endpoint)
        for case let damage? in initial.snapshot.shards.map(\.damage) {
            logger.error(
                "shard \(damage.shard) answers nothing until it has an adapter again",
                metadata: ["adapter": "\(damage.adapter)", "file": "\(damage.lost ? "gone" : "damaged")"])
        }
        let loop = CoordinatorLoop(process: self, socket: socket.socket, initial: initial)
        try loop.run()
        logger.notice("stopped")
    }

    /// Writes down where the coordinator listens. Who came in such numbers that no descriptor is left is turned away soon.
    private func announce(_ endpoint: String, in file: URL) throws {
        let end = ContinuousClock.now + .seconds(10)
        while true {
            do {
                return try AtomicFile.write(Data((endpoint + "\n").utf8), to: file.path)
            } catch {
                guard [EMFILE, ENFILE].contains(error.code), ContinuousClock.now < end else { throw error }
                Thread.sleep(forTimeInterval: 0.01)
            }
        }
    }

    /// Ends `run` soon. From any thread.
    package func stop() {
        inbox.post(.stop)
    }

    /// Reads again which keys may connect. From any thread, one after the other.
    package func readKeysAgain() {
        guard let security = options.security else { return logger.notice("there are no keys to be read again") }
        inbox.post(.keys(Result { try security.sources.read() }))
    }

    /// Of connections that are made from now on.
    func admit(_ list: AllowList) { authenticator.withLock { $0 }?.admit(list.names) }

    /// Has the thread that admits connections fail, for tests.
    package func failAdmission(_ error: ZeroMQError) {
        authenticator.withLock { $0 }?.fail(error)
    }

    private func bind(_ local: LocalKeys?) throws -> (socket: Socket, endpoint: String) {
        let context = try Context()
        var socketOptions = SocketOptions()
        socketOptions.maximumFrameSize = Int64(WireLimits.frame)
        socketOptions.sendHighWaterMark = Int32(WireLimits.queuedMessages)
        socketOptions.receiveHighWaterMark = Int32(WireLimits.queuedMessages)
        socketOptions.linger = .milliseconds(500)
        var limits = ConnectionLimits(connections: DescriptorLimit.raise(reserving: options.reservedDescriptors))
        // Of those who have not shown to be workers, what a client may send.
        limits.unfinishedBytes = WireLimits.request + 2 * WireLimits.frame
        // One that is as large as may be, and others beside it.
        limits.unfinishedBytesOfStrangers = limits.unfinishedBytes * 3 / 2
        limits.unreadBytesInAll = ReplyBudget.Limits().unreadForSeconds
        socketOptions.connections = limits
        let inbox = inbox
        socketOptions.whenClosed = { inbox.post(.connectionClosed(address: $0, $1)) }
        socketOptions.whenUnwatched = { inbox.post(.admissionFailed($0)) }
        let names = options.security?.allowed.names ?? local.map { [$0.client.publicKey: ClientTicket.nameWithoutKey] }
        let authenticator = try Authenticator(
            context, names.map { .keys(Set($0.keys), names: $0) } ?? .anybody(),
            whenRefused: { inbox.post(.connectionRefused($0)) }, whenFailed: { inbox.post(.admissionFailed($0)) })
        self.authenticator.withLock { $0 = authenticator }
        if let keys = options.security?.keys ?? local?.coordinator {
            socketOptions.curve = .server(keys, authenticator)
        } else {
            socketOptions.admission = authenticator
        }
        let socket = try Socket(context, .router, options: socketOptions)
        do {
            return (socket, try socket.bind(options.endpoint))
        } catch ZeroMQError.addressInUse(let endpoint) {
            throw CoordinatorStartError.endpointInUse(endpoint)
        } catch {
            throw CoordinatorStartError.endpointUnusable("\(error)")
        }
    }

    private func initialState() throws -> InitialState {
        let answer = try Mailbox<Result<InitialState, any Error>>()
        store.run { service in
            answer.post(
                Result {
                    InitialState(
                        snapshot: try service.ledger.snapshot(), copies: try service.ledger.copies(),
                        workers: try service.ledger.workers(at: Date()),
                        words: try service.ledger.settledWords(last: CoordinatorLimits.settledWords),
                        hasGrantedLeases: try service.ledger.hasGrantedLeases(),
                        workerKeys: try service.ledger.workerKeys())
                })
        }
        guard let result = answer.take().first else { throw ClientError(code: .failed, message: "no snapshot") }
        return try result.get()
    }
}

/// What the loop begins with.
struct InitialState: Sendable {
    var snapshot: LedgerSnapshot
    var copies: [HandedCopy]
    var workers: [RememberedWorker]
    var words: [SettledWord]
    var hasGrantedLeases: Bool
    var workerKeys: [String: String]
}

extension CoordinatorProcess {
    var servingModel: ServingModel {
        let training = settings.configuration.training
        return ServingModel(
            base: training.base, precision: training.precision, arithmetic: settings.arithmetic, lora: training.lora)
    }
}

extension ClusterConfiguration {
    /// What only the model can say of the settings.
    ///
    /// - Throws: `CoordinatorStartError.invalidSetting`, `UnlearningError.invalidSpecification`.
    func check(for model: ModelConfiguration) throws {
        try training.check()
        guard (0...model.layers).contains(embedding.layer) else {
            throw CoordinatorStartError.invalidSetting(
                "--embedding-layer must be from 0 to \(model.layers), the model's last, not \(embedding.layer)")
        }
        guard training.lora.rank <= model.hidden else {
            throw CoordinatorStartError.invalidSetting(
                "--rank must be from 1 to \(model.hidden), the model's hidden size, not \(training.lora.rank)")
        }
    }

    /// Why an adapter does not fit in one message; nil: it does.
    func adaptersTooLarge(for model: ModelConfiguration) -> String? {
        let layout = AdapterLayout(model: model, configuration: training.lora)
        // Its header names two tensors a site, in less than 200 bytes each.
        let bytes = 4 * layout.count + 400 * layout.sites.count
        guard bytes > WireLimits.adapterBytes else { return nil }
        return
            "an adapter of \(bytes) bytes is too much for one message, which takes \(WireLimits.adapterBytes): take a lower "
            + "rank or fewer targets"
    }
}

extension EmbeddingSource {
    /// The state that stands for a prompt unless configured otherwise.
    package static func standard(for model: ModelConfiguration) -> EmbeddingSource {
        EmbeddingSource(layer: max(1, model.layers / 8), pooling: .mean)
    }
}
