import Unlearning

// Since which version of the protocol there is something, in the form and with the meaning that it has now: one table for
// the whole protocol. What is not newer than `ProtocolVersions.oldest` needs no number of its own. No `default`: what is added does
// not compile until it stands here.

/// What workers are asked for.
package enum WorkForm: CaseIterable, Sendable {
    case training, correction, preparation, keeping, replay, embedding, scoring, comparison
    /// To hand stages on, and to take them.
    case handingOver
    /// To train one slice alone.
    case stageReplay

    package var since: UInt8 {
        switch self {
        case .training, .correction, .preparation, .keeping, .replay, .embedding, .scoring, .comparison: 10
        case .handingOver, .stageReplay: 11
        }
    }
}

extension TrainingSpecification {
    /// An older worker passes over what it does not know, and would train something else. Nothing here is newer than the oldest
    /// version; of that see `WorkerMessage.Hello.knows`.
    package var since: UInt8 { WorkForm.training.since }
}

extension WorkerMessage.Hello {
    /// Whether the worker's release trains as this specification says. Slices and averages came while version 10 lasted, another
    /// average while version 11 did: there a worker says for itself what it knows.
    package func knows(_ specification: TrainingSpecification) -> Bool {
        guard protocolVersion >= Int(specification.since) else { return false }
        return (specification.slices == 1 || protocolVersion > 10 || trainsSlices == true)
            && knownAveragings.contains(specification.averaging)
    }

    /// What a later release knows beyond this one is passed over.
    private var knownAveragings: Set<WeightAveraging> {
        if let averagings { return Set(averagings.compactMap(WeightAveraging.init)) }
        return protocolVersion > 10 || averages == true ? [.none, .steps] : [.none]
    }

    /// The methods whose rows of a comparison it computes as they are now: sliced rows have averages, those of the cluster's own
    /// specification if that has slices. None of a release that computes or reports cases otherwise: what it found would be kept
    /// as one of this release's.
    package func comparedMethods(where specification: TrainingSpecification) -> Set<ComparisonMethod> {
        guard comparison == ComparisonPlan.revision else { return [] }
        let known = Set((methods ?? []).compactMap(ComparisonMethod.init))
        let usual = WeightAveraging.standard(slices: ComparisonSettings.usualSlices)
        let isSlicedAsNow = knownAveragings.contains(specification.slices > 1 ? specification.averaging : usual)
        return isSlicedAsNow ? known : known.subtracting(ComparisonMethod.sliced)
    }
}

extension CoordinatorMessage {
    package var since: UInt8 {
        switch self {
        case .welcome, .refused, .heartbeat, .prompts, .adapters, .drop, .taken, .cancel, .release, .leave: 10
        case .assign(let assignment):
            max(
                assignment.specification.since,
                assignment.correction != nil
                    ? WorkForm.correction.since
                    : assignment.adapter == nil ? WorkForm.training.since : WorkForm.keeping.since)
        case .prepare: WorkForm.preparation.since
        case .replay(_, let specification, _): max(specification.since, WorkForm.replay.since)
        case .score: WorkForm.scoring.since
        case .embed: WorkForm.embedding.since
        case .compare: WorkForm.comparison.since
        case .hand, .stage, .noStage: WorkForm.handingOver.since
        case .replayStage: WorkForm.stageReplay.since
        }
    }
}

extension ClientRequest {
    /// Only what changed its form or meaning has a later one: who does not know a request does not make it.
    package var since: UInt8 {
        switch self {
        case .importRows, .finishImport, .train, .forget, .query, .evaluate, .verify, .status, .operation, .adapters,
            .lineage, .exportAdapter, .access, .audit, .forgetCopy, .dropImport, .configuration, .requests, .serving,
            .order, .compare, .comparedCases, .stop:
            10
        }
    }

    /// Why it is not answered to whoever speaks that version; nil: it is.
    package func objection(in version: UInt8) -> ClientError? {
        guard version < since else { return nil }
        return ClientError(
            code: .protocolVersion,
            message: "this request has another meaning since protocol version \(since), and this client speaks "
                + "\(version): use the coordinator's release of lethe for it")
    }
}
