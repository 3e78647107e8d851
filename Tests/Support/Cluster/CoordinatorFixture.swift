import Coordination
import Foundation
import LanguageModels
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

/// A coordinator, the clock it is handed, and what it said last.
package struct CoordinatorFixture {
    /// Its trainings have hundreds of steps.
    package static let specification = TrainingSpecification(base: "base", precision: .f32, epochs: 100)

    package var coordinator: Coordinator
    package var actions: [CoordinatorAction] = []
    package private(set) var settlements: [CopySettlement] = []
    /// What the cluster's list has of workers, by id.
    package private(set) var fleet: [String: WorkerRecord] = [:]
    private(set) var milliseconds: Int64 = 0
    /// Settlements of copies are among its commands, instead of being committed at once.
    package var holdsSettlements = false

    package init(
        _ snapshot: LedgerSnapshot, arithmetic: String? = nil, method: ForgetMethod = .apa,
        copies: [HandedCopy] = [], workers: [RememberedWorker] = [], words: [SettledWord] = [],
        doubleCheck: DoubleCheckRule = .one, generation: Generation? = nil, firstTask: TaskID = 1,
        expectedWorkers: Int? = nil, training: TrainingSpecification = Self.specification,
        whileRetraining: ClusterConfiguration.WhileRetraining = .stage
    ) {
        let configuration = ClusterConfiguration(
            training: training, embedding: EmbeddingSource(layer: 1, pooling: .last),
            shards: snapshot.shards.count, partition: .userHash, whileRetraining: whileRetraining, method: method)
        coordinator = Coordinator(
            settings: CoordinatorSettings(
                cluster: "test", configuration: configuration, embeddingWidth: 2, arithmetic: arithmetic, chunk: 4,
                firstTask: firstTask, doubleCheck: doubleCheck, generation: generation,
                expectedWorkers: expectedWorkers),
            snapshot: snapshot, copies: copies, workers: workers, words: words, at: CoordinatorInstant(milliseconds: 0))
    }

    /// A snapshot of shards with ten prompts each and manifests "m0", "m1", …
    package static func snapshot(
        shards: Int, adapters: Bool = false, requested: Bool = true, missingMargins: Int = 0
    ) -> LedgerSnapshot {
        LedgerSnapshot(
            shards: (0..<shards).map { index in
                LedgerSnapshot.Shard(
                    index: index, manifest: "m\(index)", prompts: 10,
                    adapter: adapters
                        ? LedgerSnapshot.Adapter(
                            name: "a\(index)", manifest: "m\(index)", missingMargins: missingMargins) : nil)
            },
            hasData: true, isPartitioned: true, unassignedPrompts: 0, missingEmbeddings: 0,
            trainingPrompts: shards * 10,
            validationPrompts: 8, testPrompts: 8, validationDigest: "v", isTuned: adapters && missingMargins == 0,
            pendingForgets: [], trainingRequested: requested)
    }

    // MARK: events

    /// What becomes known of copies and of workers is committed at once.
    package mutating func feed(_ event: CoordinatorEvent) {
        let instant = CoordinatorInstant(milliseconds: milliseconds)
        actions = []
        settlements = []
        var events = [event]
        while !events.isEmpty {
            for action in coordinator.handle(events.removeFirst(), at: instant) {
                if case .ledger(let id, .settleCopies(let settlement)) = action, !holdsSettlements {
                    settlements.append(settlement)
                    events.append(.ledger(id, .committed(coordinator.snapshot)))
                } else if case .ledger(let id, .noteWorkers(let records, let gone)) = action {
                    for record in records { fleet[record.worker] = record }
                    for worker in gone { fleet[worker] = nil }
                    events.append(.ledger(id, .committed(coordinator.snapshot)))
                } else {
                    actions.append(action)
                }
            }
        }
    }

    /// Time passes, and the coordinator is not asked.
    package mutating func sleep(_ span: Int64) { milliseconds += span }

    /// Ticks every 250 ms; the actions of all ticks together. Workers named here keep sending heartbeats.
    package mutating func wait(_ span: Int64, beating names: [String] = []) {
        var all: [CoordinatorAction] = []
        for _ in 0..<(span / 250) {
            milliseconds += 250
            for name in names { feed(.worker(peer: peer(name), .heartbeat)) }
            feed(.tick)
            all += actions
        }
        actions = all
    }

    package mutating func hello(
        _ name: String, base: String = "base", precision: TrainingSpecification.Precision = .f32,
        version: Int = CoordinatorLimits.protocolVersion, arithmetic: String = "x", peer: String? = nil,
        copies: [ShardCopy] = [], work: [HeldTask] = [], threads: Int = 1,
        _ change: (inout WorkerMessage.Hello) -> Void = { _ in }
    ) {
        var hello = WorkerMessage.Hello(
            worker: name, name: name, protocolVersion: version, base: base, precision: precision,
            arithmetic: arithmetic, threads: threads, copies: copies, work: work)
        if WorkerName.objection(to: name) == nil { hello.label = name }
        hello.knowsLeave = true
        hello.averagings = WeightAveraging.allCases.map(\.rawValue)
        hello.methods = ComparisonMethod.allCases.map(\.rawValue)
        hello.comparison = ComparisonPlan.revision
        change(&hello)
        feed(.worker(peer: self.peer(peer ?? name), .hello(hello)))
    }

    package mutating func say(_ message: WorkerMessage, by name: String) {
        feed(.worker(peer: peer(name), message))
    }

    /// What is left to do when the coordinator ends in good order.
    package mutating func end() -> [CoordinatorAction] {
        coordinator.settleEverything(at: CoordinatorInstant(milliseconds: milliseconds))
    }

    package mutating func ask(_ request: ClientRequest, id: String) {
        feed(.client(ClientTicket(peer: peer("client"), request: id), request))
    }

    package func peer(_ name: String) -> PeerID { PeerID(Array(name.utf8)) }

    // MARK: what it said

    /// Assignments among the last actions: worker, shard, and whether the worker is to train.
    package var assignments: [(worker: String, task: TaskID, shard: Int, manifest: String, trains: Bool)] {
        actions.compactMap { action in
            guard case .dispatch(let peer, .assign(let task, let shard, let manifest, _, let adapter, _)) = action
            else {
                return nil
            }
            return (String(decoding: peer.bytes, as: UTF8.self), task, shard, manifest, adapter == nil)
        }
    }

    package func messages(to name: String) -> [CoordinatorMessage] {
        actions.compactMap { action in
            guard case .send(peer(name), let message) = action else { return nil }
            return message
        }
    }

    package var commands: [(id: LedgerCommandID, command: LedgerCommand)] {
        actions.compactMap { action in
            guard case .ledger(let id, let command) = action else { return nil }
            return (id, command)
        }
    }

    /// Forget requests whose certificates are to be signed.
    package var finishes: [String] {
        commands.compactMap { command in
            if case .finishForget(let request, _) = command.command { request } else { nil }
        }
    }

    package var replies: [CoordinatorReply] {
        actions.compactMap { action in
            guard case .reply(_, let reply) = action else { return nil }
            return reply
        }
    }

    package var errors: [ClientError] {
        replies.compactMap { reply in
            guard case .failure(let error) = reply else { return nil }
            return error
        }
    }

    package var refusals: [ErrorCode] {
        actions.compactMap { action in
            guard case .send(_, .refused(let code, _)) = action else { return nil }
            return code
        }
    }

    package var status: StatusReport { coordinator.status(at: CoordinatorInstant(milliseconds: milliseconds)) }

    package static func report(task: TaskID, shard: Int, manifest: String, adapter: String) -> WorkerMessage {
        .trained(
            task: task,
            TrainingReport(
                adapter: adapter, manifest: manifest, prompts: 10, specification: specification, steps: 1, tokens: 1,
                seconds: 1, computeSeconds: 1, epochLosses: [0.5]), adapter: [1])
    }
}
