import Unlearning

extension WireNumbers {
    package func check(_ copy: ShardCopy) throws(WireError) {
        try check(copy.shard, WireLimits.shards, "shard")
        try check(copy.prompts, 0...WireLimits.prompts, "prompts")
        // The coordinator keeps either.
        for case let name? in [copy.adapter, copy.trained] { try WirePayload.checkName(name, kind: kind) }
        if let stages = copy.stages {
            try checkCount(stages.count, WireLimits.stages, "stages")
            for name in stages { try WirePayload.checkName(name, kind: kind) }
        }
    }

    package func check(_ hello: WorkerMessage.Hello) throws(WireError) {
        try check(hello.threads, WireLimits.threads, "threads")
        if let seconds = hello.uptimeSeconds { try check(seconds, WireLimits.seconds, "uptimeSeconds") }
        for copy in hello.copies { try check(copy) }
        let stages = hello.copies.reduce(0) { $0.addingSaturated($1.stages?.count ?? 0) }
        try checkCount(stages, 0...WireLimits.helloStages, "stages")
        for held in hello.work {
            try check(held.share, 0...1, "share")
            switch held.content {
            case .training(let training):
                try check(training.shard, WireLimits.shards, "shard")
                try check { try training.specification.check() }
            case .replay(_, let specification): try check { try specification.check() }
            case .margins, .embeddings, nil: break
            }
        }
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
        if let held = report.heldOut {
            try check(held.prompts, 0...WireLimits.prompts, "heldOut.prompts")
            try check(held.epoch, WireLimits.epochs, "heldOut.epoch")
            try checkCount(held.epochLosses.count, WireLimits.epochs, "heldOut.epochLosses")
            try checkFinite(held.epochLosses, "heldOut.epochLosses")
        }
        if let slices = report.slices {
            try check(slices.count, TrainingSpecification.sliceBounds, "slices.count")
            try check(slices.first, 1...slices.count, "slices.first")
            try check(slices.tokens, WireLimits.tokens, "slices.tokens")
            if let stage = slices.stage { try check(stage, 1...slices.count, "slices.stage") }
            if let stages = slices.stages { try check(stages, slices: slices.count) }
        }
        if let correction = report.correction { try check(correction) }
        if let keeping = report.keeping {
            try check(keeping.stages, 0...TrainingSpecification.sliceBounds.upperBound, "keeping.stages")
            try check(keeping.checkpoints, WireLimits.steps, "keeping.checkpoints")
            try check(keeping.seconds, WireLimits.seconds, "keeping.seconds")
            try check(keeping.processorSeconds, WireLimits.seconds, "keeping.processorSeconds")
        }
    }

    /// In the order of their slices, each of these once.
    package func check(_ stages: [StageReport], slices: Int) throws(WireError) {
        try checkCount(stages.count, 0...slices, "slices.stages")
        var last = 0
        for stage in stages {
            try check(stage.slice, 1...slices, "slices.stages.slice")
            guard stage.slice > last else {
                throw .invalidContent(kind: kind, reason: "stages are not in the order of their slices")
            }
            last = stage.slice
            try WirePayload.checkName(stage.name, kind: kind)
            if let digest = stage.digest { try WirePayload.checkName(digest, kind: kind) }
            if let bytes = stage.bytes { try check(bytes, 0...WireLimits.workerMessage, "slices.stages.bytes") }
        }
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
        if let influence {
            try check(influence.corrections, WireLimits.corrections, "corrections")
            let overshoots = influence.calibration?.overshoots ?? []
            try check(overshoots.count, 0...WireLimits.overshoots, "overshoots")
            try checkFinite(overshoots.flatMap { [$0.share, $0.factor, $0.way].compactMap(\.self) }, "overshoots")
        }
        try checkFinite([corrected?.teacherLoss].compactMap { $0 }, "teacherLoss")
        try checkFinite(corrected?.forgetLosses ?? [], "forgetLosses")
        try checkFinite(corrected?.pairLosses ?? [], "pairLosses")
        try checkFinite(influence.map(Self.numbers) ?? [], "ifru")
    }

    private static func numbers(_ report: IFRUReport) -> [Double] {
        let calibration = report.calibration
        return [
            report.damping, report.step, report.predictedDivergence, report.disagreement, calibration?.damping,
            calibration?.share, calibration?.way, calibration?.disagreement, calibration?.distanceBefore,
            calibration?.distanceAfter,
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
}
