import LanguageModels
import Unlearning

extension WireLimits {
    /// Prompt tokens of one result: sums of thousands of results stay far from the end of the integers.
    public static let tokens = 0...(1 << 50)
    /// Optimiser steps, and rows of a comparison.
    package static let steps = 0...(1 << 40)
    package static let epochs = 0...TrainingSpecification.epochBounds.upperBound
    package static let seconds = 0...1e10
    /// Tokens a second.
    package static let rate = 0...1e15
    package static let threads = 0...65_536
    /// Corrections of one adapter since its training.
    package static let corrections = 0...(1 << 31)
    /// Decoder blocks.
    package static let layers = 0...4096
    /// Batches of an import.
    package static let batches = 0...(1 << 31)
    /// Entries of the audit log.
    public static let entries = 0...(1 << 53)
    /// Items of a ranking.
    public static let top = 1...(1 << 20)
}

/// Holds numbers of a message to what they can mean, where the message is decoded: no code behind it meets one that cannot
/// be added, allocated or written down.
package struct WireNumbers {
    package let kind: String

    package init(kind: String) {
        self.kind = kind
    }

    package func check(_ value: Int, _ bounds: ClosedRange<Int>, _ name: String) throws(WireError) {
        guard bounds.contains(value) else { throw outside(name) }
    }

    /// Refuses what is no number, too.
    package func check(_ value: Double, _ bounds: ClosedRange<Double>, _ name: String) throws(WireError) {
        guard bounds.contains(value) else { throw outside(name) }
    }

    package func checkFinite(_ values: [Double], _ name: String) throws(WireError) {
        guard values.allSatisfy(\.isFinite) else { throw outside(name) }
    }

    package func checkCount(_ count: Int, _ bounds: ClosedRange<Int>, _ name: String) throws(WireError) {
        guard bounds.contains(count) else { throw outside("the number of \(name)") }
    }

    /// Settings know their own bounds.
    package func check(_ settings: () throws -> Void) throws(WireError) {
        do {
            try settings()
        } catch {
            throw .invalidContent(kind: kind, reason: "\(error)")
        }
    }

    private func outside(_ name: String) -> WireError {
        .invalidContent(kind: kind, reason: "\(name) is outside its bounds")
    }
}

extension WireNumbers {
    package func check(_ copy: ShardCopy) throws(WireError) {
        try check(copy.shard, WireLimits.shards, "shard")
        try check(copy.prompts, 0...WireLimits.prompts, "prompts")
    }

    package func check(_ hello: WorkerMessage.Hello) throws(WireError) {
        try check(hello.threads, WireLimits.threads, "threads")
        for copy in hello.copies { try check(copy) }
    }

    package func check(_ progress: WorkerMessage.TaskProgress) throws(WireError) {
        try check(progress.step, WireLimits.steps, "step")
        try check(progress.steps, WireLimits.steps, "steps")
        try checkFinite([progress.loss], "loss")
        try check(progress.tokensPerSecond, WireLimits.rate, "tokensPerSecond")
        try check(progress.secondsRemaining, WireLimits.rate, "secondsRemaining")
    }

    package func check(tokens: Int, seconds: Double) throws(WireError) {
        try check(tokens, WireLimits.tokens, "tokens")
        try check(seconds, WireLimits.seconds, "seconds")
    }

    package func check(_ report: TrainingReport) throws(WireError) {
        try check { try report.specification.check() }
        try check(report.prompts, 0...WireLimits.prompts, "prompts")
        try check(report.steps, WireLimits.steps, "steps")
        try check(tokens: report.tokens, seconds: report.seconds)
        try check(report.computeSeconds, WireLimits.seconds, "computeSeconds")
        try checkCount(report.epochLosses.count, WireLimits.epochs, "epochLosses")
        try checkFinite(report.epochLosses, "epochLosses")
        if let correction = report.correction { try check(correction) }
    }

    package func check(_ provenance: ApproximateProvenance) throws(WireError) {
        try check(provenance.forgotten, 0...WireLimits.prompts, "forgotten")
        try check(provenance.corrections, WireLimits.corrections, "corrections")
    }

    private func check(_ correction: CorrectionReport) throws(WireError) {
        try check(correction.provenance)
        try check(correction.method)
        let (corrected, influence) = (correction.e2urec, correction.ifru)
        let costs = [
            correction.preparation?.cost, corrected?.augmenting, corrected?.teaching, corrected?.forgetting,
            corrected?.pairing, influence?.gradient, influence?.solving,
        ]
        for case let cost? in costs {
            try check(tokens: cost.scoredTokens, seconds: cost.seconds)
            try check(cost.trainedTokens, WireLimits.tokens, "trainedTokens")
            try check(cost.steps, WireLimits.steps, "steps")
        }
        let counts = [
            corrected?.forgotten, corrected?.retained, influence?.direct, influence?.rebuilt, influence?.pruned,
            influence?.references, influence?.backwardPrompts, influence?.calibration?.prompts,
        ]
        for case let count? in counts { try check(count, 0...(2 * WireLimits.prompts), "a number of prompts") }
        if let influence { try check(influence.corrections, WireLimits.corrections, "corrections") }
        try checkFinite(corrected?.forgetLosses ?? [], "forgetLosses")
        try checkFinite(corrected?.pairLosses ?? [], "pairLosses")
        try checkFinite(influence.map(Self.numbers) ?? [], "ifru")
    }

    private static func numbers(_ report: IFRUReport) -> [Double] {
        let calibration = report.calibration
        return [
            report.damping, report.step, report.predictedDivergence, report.disagreement, calibration?.damping,
            calibration?.disagreement, calibration?.distanceBefore, calibration?.distanceAfter,
            report.forgottenMargins?.meanFromLabel, report.forgottenMargins?.largest,
        ].compactMap { $0 }
    }
}

extension WireNumbers {
    package func check(_ method: CorrectionMethod) throws(WireError) {
        switch method {
        case .e2urec(let configuration): try check { try configuration.check() }
        case .ifru(let configuration): try check { try configuration.check() }
        }
    }

    package func check(_ provenance: AdapterProvenance) throws(WireError) {
        if case .approximate(let approximate) = provenance { try check(approximate) }
    }

    package func check(_ request: ClientRequest) throws(WireError) {
        switch request {
        case .importRows(let rows):
            try check(rows.sequence, WireLimits.batches, "sequence")
            try checkFinite(rows.interactions.map(\.rating), "rating")
        case .finishImport(let finish): try check(finish.batches, WireLimits.batches, "batches")
        case .query(let query):
            if let top = query.top { try check(top, WireLimits.top, "top") }
        case .train, .forget, .evaluate, .verify, .compare, .status, .operation, .adapters, .lineage, .exportAdapter:
            break
        case .audit(let audit): try check(audit.after, WireLimits.entries, "after")
        case .forgetCopy(let copy):
            if let shard = copy.shard { try check(shard, WireLimits.shards, "shard") }
        }
    }
}
