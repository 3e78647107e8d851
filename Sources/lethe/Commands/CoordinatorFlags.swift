import ArgumentParser
import Experiments
import Files
import Foundation
import LanguageModels
import Ledger
import Logging
import Messages
import Service
import Unlearning
import ZeroMQ

/// For one start, by hand: they are no keys of the configuration file.
struct LossFlags: ParsableArguments {
    @Flag(
        help:
            "Start although tombstone.key is missing or another one: what was forgotten before is no longer refused at import."
    )
    var acceptNewTombstoneKey = false

    @Flag(
        help:
            "Start although certificate.key is missing or another one: certificates signed before are no longer this cluster's."
    )
    var acceptNewCertificateKey = false

    @Flag(
        help:
            "Start although the database is older than its signed audit.head or its key folder; take a changed or lost head of the audit log as known."
    )
    var acceptAuditLog = false

    @Flag(
        help:
            "Start although the key folder is missing, damaged or another cluster's: it is put aside, workers are sent their prompts again, and all shards are trained anew; or although it is older than the database: who has no key in it is lost."
    )
    var acceptNewKeys = false

    @Option(
        name: .customLong("accept-destroyed-keys"),
        help: ArgumentHelp(
            "Keys that were put aside at this path are destroyed, with every copy: they are named no more. The audit log says so.",
            valueName: "path"),
        completion: .directory)
    var destroyedKeys: [String] = []

    var accepted: AcceptedLosses {
        var accepted: AcceptedLosses = []
        if acceptNewTombstoneKey { accepted.insert(.tombstoneKey) }
        if acceptNewCertificateKey { accepted.insert(.certificateKey) }
        if acceptAuditLog { accepted.insert(.auditLog) }
        if acceptNewKeys { accepted.insert(.keys) }
        return accepted
    }
}

/// The coordinator's options; all are optional here, since each may come from the file (`fileOptions`).
package struct CoordinatorFlags: ParsableArguments {
    package init() {}

    @Option(help: "Where the ledger and the adapters are kept.", completion: .directory)
    var data: String?

    @Option(
        help: "The base model: a GGUF file or a Hugging Face directory. [default: where it was at the last start]",
        completion: .file())
    var model: String?

    @Option(help: "Where to listen; port * picks a free one. [default: tcp://127.0.0.1:7070]")
    var listen: String?

    @Option(help: "Number of shards, each with an adapter of its own, \(OptionBounds.shards.inWords). [default: 4]")
    var shards: Int?

    @Option(help: "How prompts are dealt to shards: user, semantic, user-hash or hash. [default: user]")
    var partition: PartitionMethod?

    @Option(help: "Seed of everything random. [default: 0]")
    var seed: UInt64?

    @Option(help: "Passes over a shard's prompts, \(TrainingSpecification.epochBounds.inWords). [default: 2]")
    var epochs: Int?

    @Option(help: "Prompts of one optimiser step, \(TrainingSpecification.batchBounds.inWords). [default: 4]")
    var batch: Int?

    @Option(help: "Peak learning rate of AdamW, \(TrainingSpecification.learningRateBounds.inWords). [default: 0.001]")
    var learningRate: Double?

    @Option(help: "Steps over which the rate rises, \(TrainingSpecification.warmupBounds.inWords). [default: 0]")
    var warmupSteps: Int?

    @Option(help: "Decoupled weight decay, \(TrainingSpecification.weightDecayBounds.inWords). [default: 0]")
    var weightDecay: Double?

    @Option(help: "After the warm-up the rate stays (constant) or falls to a slice's end (linear). [default: constant]")
    var schedule: RateSchedule?

    @Option(
        help: """
            Share of the features that an adapter reads that each step leaves out, \
            \(TrainingSpecification.dropoutBounds.inWords). [default: 0]
            """)
    var dropout: Double?

    @Option(
        help: """
            Share of a shard's prompts, \(TrainingSpecification.heldOutBounds.inWords), that are not trained on: the adapter \
            of the epoch that they like best is kept. [default: 0]
            """)
    var heldOut: Double?

    @Option(help: "Slices of a shard's training, \(TrainingSpecification.sliceBounds.inWords). [default: 1]")
    var slices: Int?

    @Option(
        help: """
            The adapter is what there was after the last step (none), or the mean of what there was after every step, of all \
            alike (steps), or of later ones more (polynomial). [default: polynomial, if there are several slices]
            """)
    var averaging: WeightAveraging?

    @Option(
        help:
            "Rank of the adapters, \(TrainingSpecification.rankBounds.inWords) and no more than the model's hidden size. [default: 8]"
    )
    var rank: Int?

    @Option(
        help: "α of the adapters, \(TrainingSpecification.alphaBounds.inWords); their scale is α / rank. [default: 16]")
    var alpha: Double?

    @Option(parsing: .upToNextOption, help: "Linear layers that carry an adapter. [default: q_proj v_proj]")
    var targets: [LinearSite] = []

    @Option(help: "How adapters are joined in one forward pass: D or ND. [default: ND]")
    var rule: AggregationRule?

    @Option(
        help:
            "Decoder block whose output stands for a prompt in partition and attention, from 0 (the embeddings) to the model's last."
    )
    var embeddingLayer: Int?

    @Option(help: "What answers when no clean adapter is left: base or refuse. [default: base]")
    var whenNoAdapter: ClusterConfiguration.WhenNoAdapter?

    @Option(
        help: """
            What answers for a shard from a forget on until it is trained again: what its training had come to before, with \
            --slices (stage), or nothing (quarantine). [default: stage]
            """)
    var whileRetraining: ClusterConfiguration.WhileRetraining?

    @Option(help: "How data is forgotten unless the request says otherwise: apa, e2urec or ifru. [default: apa]")
    var method: String?

    @Option(
        help: "Prepare corrections of trained shards ahead of requests: ifru, or none. [default: if it is the method]")
    var prepare: String?

    @Option(
        help: """
            Train what a forget retrains a second time on another worker, and compare bytes before the certificate is \
            signed: one (a shard of each request), or a probability from 0 (none) to 1 (all). [default: one]
            """)
    var doubleCheck: String?

    @Option(help: "bf16 or f32. [default: bf16 where the CPU has it, else f32]")
    var precision: TrainingSpecification.Precision?

    @Option(help: "Threads of the query engine, \(OptionBounds.threads.inWords). [default: the machine's cores]")
    var threads: Int?

    @Option(
        help:
            "A folder for packed weights, shared by your processes on this machine, or none. [env: LETHE_WEIGHT_CACHE] [default: ~/.cache/lethe/weights]"
    )
    var weightCache: String?

    @Option(
        help: """
            Where the keys lie that adapters and workers' disks are sealed with; another disk keeps them out of copies of --data. \
            [default: keys, in --data]
            """)
    var keysDir: String?

    @Option(
        help: """
            What those keys are sealed with: a file of 32 bytes or 64 hexadecimal digits, or fd:N, a descriptor that is \
            open at the start. The same at every start.
            """)
    var masterKey: String?

    @Option(help: "This coordinator's CURVE key file, for listening beyond loopback.")
    var keys: String?

    @Option(
        parsing: .upToNextOption,
        help: "Public key files, or folders of them, that may connect; the audit log names who asked by the file.")
    var allow: [String] = []

    @Option(
        parsing: .upToNextOption,
        help: "The same of gateways that answer questions themselves (lethe gateway --model)."
    )
    var allowGateway: [String] = []

    @Option(
        help: "A list of keys with roles (lethe keys allow), read again at SIGHUP, as --allow and --allow-gateway are.",
        completion: .file())
    var allowList: String?

    @Flag(
        help: """
            On loopback, without --keys: every user of this machine may connect, not only this one, also over HTTP (--http); also \
            through a tunnel or from a container.
            """)
    var openLoopback = false

    @Option(
        help: """
            Workers that there should be, 0 to \(CoordinatorOptions.mostWorkers): status says how many are here, and which are \
            missing; 0: nobody knows. [default: as at the last start]
            """)
    var expect: Int?

    @Option(
        help: ArgumentHelp(
            "Serve HTTP in this process too, as `lethe gateway` does: 127.0.0.1:8080. On loopback only, without --keys, for this user and root.",
            valueName: "host:port"))
    var http: String?
}

extension CoordinatorFlags {
    /// Options that are left out are those of the folder's last start, or the usual ones in a new folder.
    ///
    /// - Throws: `CommandFailure` for missing or contradictory options.
    package func options() throws -> CoordinatorOptions {
        guard let data else {
            throw CommandFailure(.usage, "--data is missing: a folder for the ledger and the adapters")
        }
        let folder = URL(fileURLWithPath: data)
        let recorded = try Ledger.recorded(in: folder)
        var options = CoordinatorOptions(dataDirectory: folder, model: try model ?? recorded.model())
        if let recorded { options.adopt(recorded) }
        if let method {
            guard let known = ForgetMethod(rawValue: method) else {
                throw CommandFailure(.usage, "--method \(method): there are apa, e2urec and ifru")
            }
            options.method = known
        }
        if let prepare {
            guard ["ifru", "none"].contains(prepare) else {
                throw CommandFailure(.usage, "--prepare \(prepare): only ifru is prepared, or none")
            }
            options.corrections.preparesInfluence = prepare == "ifru"
        }
        if let doubleCheck {
            guard let rule = DoubleCheckRule(doubleCheck) else {
                throw CommandFailure(.usage, "--double-check \(doubleCheck): write one, or a number from 0 to 1")
            }
            options.doubleCheck = rule
        }
        if let listen { options.endpoint = listen }
        options.shards = try within(OptionBounds.shards, shards ?? options.shards, "--shards")
        options.partition = partition ?? options.partition
        options.seed = seed ?? options.seed
        options.precision = precision ?? options.precision
        options.lora = LoRAConfiguration(
            rank: try within(TrainingSpecification.rankBounds, rank ?? options.lora.rank, "--rank"),
            alpha: try within(TrainingSpecification.alphaBounds, alpha ?? options.lora.alpha, "--alpha"),
            targets: targets.isEmpty ? options.lora.targets : targets)
        options.epochs = try within(TrainingSpecification.epochBounds, epochs ?? options.epochs, "--epochs")
        options.batch = try within(TrainingSpecification.batchBounds, batch ?? options.batch, "--batch")
        options.learningRate = try within(
            TrainingSpecification.learningRateBounds, learningRate ?? options.learningRate, "--learning-rate")
        options.warmupSteps = try within(
            TrainingSpecification.warmupBounds, warmupSteps ?? options.warmupSteps, "--warmup-steps")
        options.weightDecay = try within(
            TrainingSpecification.weightDecayBounds, weightDecay ?? options.weightDecay, "--weight-decay")
        options.schedule = schedule ?? options.schedule
        options.dropout = try within(
            TrainingSpecification.dropoutBounds, dropout ?? options.dropout, "--dropout")
        options.heldOut = try within(
            TrainingSpecification.heldOutBounds, heldOut ?? options.heldOut, "--held-out")
        options.slices = try within(TrainingSpecification.sliceBounds, slices ?? options.slices, "--slices")
        options.averaging = averaging ?? options.averaging
        options.rule = rule ?? options.rule
        if let embeddingLayer {
            options.embedding = EmbeddingSource(
                layer: try within(0...4096, embeddingLayer, "--embedding-layer"), pooling: .mean)
        }
        options.whenNoAdapter = whenNoAdapter ?? options.whenNoAdapter
        options.whileRetraining = whileRetraining ?? options.whileRetraining
        options.threads = try within(
            OptionBounds.threads, threads ?? AvailableCores.current.count, "--threads")
        options.weightCache = weightCacheDirectory(weightCache)
        if let keysDir {
            guard !keysDir.isEmpty else { throw CommandFailure(.usage, "--keys-dir: the name of a folder is missing") }
            options.keysDirectory = URL(fileURLWithPath: keysDir)
        }
        options.masterKey = try masterKey.map { text in
            guard let source = MasterKey(text) else {
                throw CommandFailure(.usage, "--master-key \(text): write the path of a file, or fd: and a number")
            }
            return try source.read()
        }
        let sources = AllowSources(allow: allow, gateways: allowGateway, list: allowList)
        if let keys {
            options.security = try .init(keys: try CurveKeyPair(contentsOf: keys), sources: sources)
        } else if !sources.isEmpty {
            throw CommandFailure(
                .usage, "--allow, --allow-gateway and --allow-list need --keys: without keys there is no encryption")
        }
        guard !openLoopback || keys == nil else {
            throw CommandFailure(.usage, "--open-loopback is for a coordinator without --keys")
        }
        options.opensLoopback = openLoopback
        if let expect {
            let count = try within(0...CoordinatorOptions.mostWorkers, expect, "--expect")
            options.expectedWorkers = count == 0 ? nil : count
        }
        return options
    }
}

extension RecordedConfiguration? {
    /// Where the base model was at the last start.
    ///
    /// - Throws: `CommandFailure` when that is not known, or the model is not there any more.
    fileprivate func model() throws -> String {
        guard let path = self?.start.model else {
            throw CommandFailure(
                .usage,
                "--model is missing: the base model's file or folder"
                    + (self == nil ? "" : ", which this cluster has not on record yet"))
        }
        guard FileManager.default.fileExists(atPath: path) else {
            throw CommandFailure(
                .badInput,
                "the base model was \(path) at the last start and is not there any more: name it with --model")
        }
        return path
    }
}
