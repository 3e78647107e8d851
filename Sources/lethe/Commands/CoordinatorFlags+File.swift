import Foundation
import LanguageModels
import Messages
import Unlearning

extension CoordinatorFlags {
    /// The file's options with these on top.
    func overriding(file path: String?) throws -> CoordinatorFlags {
        guard let path else { return self }
        let file = try ConfigurationFile(path: path)
        var merged = self
        merged.data = data ?? file.data
        merged.model = model ?? file.model
        merged.listen = listen ?? file.listen
        merged.shards = shards ?? file.shards
        merged.partition = try partition ?? file.value(file.partition, PartitionMethod.init(rawValue:))
        merged.seed = seed ?? file.seed
        merged.epochs = epochs ?? file.epochs
        merged.batch = batch ?? file.batch
        merged.learningRate = learningRate ?? file.learningRate
        merged.warmupSteps = warmupSteps ?? file.warmupSteps
        merged.weightDecay = weightDecay ?? file.weightDecay
        merged.schedule = try schedule ?? file.value(file.schedule, RateSchedule.init(rawValue:))
        merged.dropout = dropout ?? file.dropout
        merged.heldOut = heldOut ?? file.heldOut
        merged.slices = slices ?? file.slices
        merged.averaging = try averaging ?? file.value(file.averaging, WeightAveraging.init(rawValue:))
        merged.rank = rank ?? file.rank
        merged.alpha = alpha ?? file.alpha
        if targets.isEmpty {
            merged.targets = try (file.targets ?? []).map { try file.value($0, LinearSite.init(rawValue:)) ?? .query }
        }
        merged.rule = try rule ?? file.value(file.rule, AggregationRule.init(rawValue:))
        merged.embeddingLayer = embeddingLayer ?? file.embeddingLayer
        merged.whenNoAdapter =
            try whenNoAdapter ?? file.value(file.whenNoAdapter, ClusterConfiguration.WhenNoAdapter.init(rawValue:))
        merged.whileRetraining =
            try whileRetraining
            ?? file.value(file.whileRetraining, ClusterConfiguration.WhileRetraining.init(rawValue:))
        merged.method = method ?? file.method
        merged.prepare = prepare ?? file.prepare
        merged.doubleCheck = doubleCheck ?? file.doubleCheck
        merged.precision = try precision ?? file.value(file.precision, TrainingSpecification.Precision.init(rawValue:))
        merged.threads = threads ?? file.threads
        merged.weightCache = weightCache ?? file.weightCache
        merged.keysDir = keysDir ?? file.keysDir
        merged.masterKey = masterKey ?? file.masterKey
        merged.keys = keys ?? file.keys
        if allow.isEmpty { merged.allow = file.allow ?? [] }
        if allowGateway.isEmpty { merged.allowGateway = file.allowGateway ?? [] }
        merged.allowList = allowList ?? file.allowList
        merged.openLoopback = openLoopback || file.openLoopback == true
        return merged
    }
}
