import Unlearning

// Since which version of the protocol there is something, in the form and with the meaning that it has now: one table for
// the whole protocol. What is not newer than `ProtocolVersions.oldest` needs no number of its own. No `default`: what is added does
// not compile until it stands here.

/// What workers are asked for.
package enum WorkForm: CaseIterable, Sendable {
    case training, correction, preparation, keeping, replay, embedding, scoring, comparison

    package var since: UInt8 {
        switch self {
        case .training, .keeping, .replay, .embedding, .scoring: 9
        // What corrections are made with may leave α out, and what they compute is another method's.
        case .correction, .preparation: 10
        // Their cases are told one by one, and may ask for NegKL and Bad-T.
        case .comparison: 10
        }
    }
}

extension TrainingSpecification {
    /// An older worker passes over what it does not know, and would train something else.
    package var since: UInt8 {
        schedule != .constant || dropout != 0 || heldOut != 0 || slices != 1 || averaging != .none
            ? 10 : WorkForm.training.since
    }
}

extension CoordinatorMessage {
    package var since: UInt8 {
        switch self {
        case .welcome, .refused, .heartbeat, .prompts, .adapters, .drop, .taken, .cancel, .release: 9
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
        case .leave: 10
        }
    }
}

extension ClientRequest {
    /// Only what changed its form or meaning has a later one: who does not know a request does not make it.
    package var since: UInt8 {
        switch self {
        case .importRows, .finishImport, .train, .forget, .query, .evaluate, .verify, .status, .operation, .adapters,
            .lineage, .exportAdapter, .access, .audit, .forgetCopy, .dropImport, .configuration, .requests, .serving,
            .order:
            9
        case .compare, .comparedCases: WorkForm.comparison.since
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
