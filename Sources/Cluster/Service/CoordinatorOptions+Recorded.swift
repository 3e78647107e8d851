import Foundation
import LanguageModels
import Ledger
import Messages
import Unlearning

extension CoordinatorOptions {
    /// Takes what is on record for what it has instead of the usual: so a start without options goes on as the last one did.
    /// The model is left as it is.
    package mutating func adopt(_ recorded: RecordedConfiguration) {
        let cluster = recorded.cluster
        shards = cluster.shards
        partition = cluster.partition
        seed = cluster.seed
        precision = cluster.training.precision
        lora = cluster.training.lora
        epochs = cluster.training.epochs
        batch = cluster.training.batch
        learningRate = cluster.training.learningRate
        warmupSteps = cluster.training.warmupSteps
        weightDecay = cluster.training.weightDecay
        schedule = cluster.training.schedule
        dropout = cluster.training.dropout
        heldOut = cluster.training.heldOut
        slices = cluster.training.slices
        averaging = cluster.training.averaging
        rule = cluster.rule
        embedding = cluster.embedding
        whenNoAdapter = cluster.whenNoAdapter
        whileRetraining = cluster.whileRetraining
        method = cluster.method
        corrections = cluster.corrections
        doubleCheck = recorded.start.doubleCheck.flatMap(DoubleCheckRule.init) ?? doubleCheck
        keysDirectory = recorded.start.keysDirectory.map { URL(fileURLWithPath: $0) } ?? keysDirectory
        expectedWorkers = recorded.start.expectedWorkers ?? expectedWorkers
    }

    /// The cluster that they make: what a start records, or compares with what is on record.
    ///
    /// - `base`: the base model's digest.
    /// - `precision`: where they name none.
    /// - `embedding`: where they name no layer.
    package func cluster(
        base: String, precision usual: TrainingSpecification.Precision, embedding standard: EmbeddingSource
    ) -> ClusterConfiguration {
        ClusterConfiguration(
            training: TrainingSpecification(
                base: base, precision: precision ?? usual, lora: lora, seed: seed, epochs: epochs, batch: batch,
                learningRate: learningRate, warmupSteps: warmupSteps, weightDecay: weightDecay, schedule: schedule,
                dropout: dropout, heldOut: heldOut, slices: slices,
                averaging: averaging ?? .standard(slices: slices)),
            embedding: embedding ?? standard, shards: shards, partition: partition, seed: seed, rule: rule,
            whenNoAdapter: whenNoAdapter, whileRetraining: whileRetraining, method: method, corrections: corrections)
    }

    /// What a cluster that is there would be started with, as far as it can be said without its model.
    package func cluster(over recorded: ClusterConfiguration) -> ClusterConfiguration {
        var cluster = self.cluster(
            base: recorded.training.base, precision: recorded.training.precision, embedding: recorded.embedding)
        cluster.referencePrompts = recorded.referencePrompts
        return cluster
    }

    /// What the ledger remembers of this start.
    var start: RecordedStart {
        RecordedStart(
            model: URL(fileURLWithPath: model).standardizedFileURL.path, doubleCheck: doubleCheck.text,
            keysDirectory: keysDirectory?.standardizedFileURL.path, expectedWorkers: expectedWorkers)
    }

    /// The options under the names of the configuration file.
    ///
    /// - `cluster`: what was made of them, or is on record; nil: what only the model can say is left out.
    package func configuration(_ cluster: ClusterConfiguration?) -> CoordinatorConfiguration {
        var all = cluster.map(CoordinatorConfiguration.init) ?? CoordinatorConfiguration()
        all.data = dataDirectory.standardizedFileURL.path
        all.model = start.model
        all.listen = endpoint
        all.doubleCheck = doubleCheck.text
        all.threads = threads
        all.weightCache = weightCache ?? "none"
        all.keysDir = start.keysDirectory
        all.expect = expectedWorkers
        return all
    }
}

extension CoordinatorConfiguration {
    /// What a data directory has on record.
    package init(_ recorded: RecordedConfiguration) {
        self.init(recorded.cluster)
        model = recorded.start.model
        doubleCheck = recorded.start.doubleCheck
        keysDir = recorded.start.keysDirectory
        expect = recorded.start.expectedWorkers
    }
}

extension CoordinatorProcess {
    /// For `lethe config`.
    var configuration: ConfigurationReply {
        ConfigurationReply(
            effective: options.configuration(settings.configuration),
            recorded: CoordinatorConfiguration(
                RecordedConfiguration(cluster: settings.configuration, start: options.start, name: settings.cluster)),
            cluster: settings.cluster,
            dealsPeople: settings.configuration.training.dealing(of: settings.configuration.partition) != nil,
            drawsNegatives: true)
    }
}
