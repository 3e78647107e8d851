import Messages

/// What fails and is tried again, and what forget requests wait for: for `status`.
extension Coordinator {
    /// Writes that the ledger refused, work that rests after failures, deletions that workers do not confirm.
    var stuckDuties: [StatusReport.StuckDuty] {
        let ledger = writes.failing.compactMap { entry in
            entry.error.map { entry.command.duty(attempts: entry.attempts, $0) }
        }
        let work = failures.filter { $0.count >= CoordinatorLimits.attempts && isPaused($0.work) }.map { record in
            let (kind, shard, request) = record.work.naming
            return StatusReport.StuckDuty(
                kind: kind, description: record.work.description, shard: shard, request: request,
                code: record.error.code.rawValue, reason: record.error.message, attempts: record.count)
        }
        let releases = roster.live.flatMap { worker -> [StatusReport.StuckDuty] in
            worker.copies.filter { isUnanswered($0) }.map { copy in
                StatusReport.StuckDuty(
                    kind: "release", description: "worker \(worker.title) deleting its copy of shard \(copy.shard)",
                    shard: copy.shard, code: ErrorCode.silent.rawValue,
                    reason:
                        "it is here and does not confirm it; if it never will: lethe workers forget-copy \(worker.id)",
                    attempts: copy.releases)
            }
        }
        return ledger + work + releases
    }

    /// What the request waits for, one line each, for people.
    func waits(of pending: LedgerSnapshot.PendingForget) -> [String] {
        var lines: [String] = []
        if !pending.waitingFor.isEmpty { lines.append("\(list(pending.waitingFor)) to be retrained") }
        let rows = missingRows(of: pending)
        if !rows.isEmpty { lines.append("rows of the error table of \(list(rows))") }
        if pending.waitingFor.isEmpty, !areChecked(pending) { lines.append("a second worker's training of its shards") }
        if snapshot.purgePending {
            lines.append("the purge of what was forgotten from the files\(failure(of: .purge))")
        }
        if pending.waitingFor.isEmpty, let operation = operation(pending.id),
            case .forget(let forgetting) = operation.course, !copiesAreSettled(forgetting, of: pending.id)
        {
            let copies = unconfirmed(pending.id).filter { roster.isLive($0.worker) }
            lines += copies.map { "worker \($0.name) to delete old data of shard \($0.shard)" }
            if copies.isEmpty { lines.append("the ledger to note what workers deleted") }
        }
        if lines.isEmpty {
            let text = failure(of: .end(pending.id))
            lines.append("its certificate to be signed\(text)")
        }
        return lines
    }

    private func list(_ shards: [Int]) -> String {
        (shards.count == 1 ? "shard " : "shards ") + shards.map(String.init).joined(separator: ", ")
    }

    /// ", which failed 3 times: the disk is full", or nothing.
    private func failure(of subject: LedgerCommand.Subject) -> String {
        guard let entry = writes.entries(about: subject).first(where: \.isFailing), let error = entry.error else {
            return ""
        }
        return ", which failed (attempt \(entry.attempts)): \(error.message)"
    }
}

extension LedgerCommand {
    fileprivate func duty(attempts: Int, _ error: ClientError) -> StatusReport.StuckDuty {
        func duty(_ kind: String, _ text: String, shard: Int? = nil, request: String? = nil) -> StatusReport.StuckDuty {
            StatusReport.StuckDuty(
                kind: kind, description: text, shard: shard, request: request, code: error.code.rawValue,
                reason: error.message, attempts: attempts)
        }
        // Descriptions name no request: they are shown also to those whom requests do not concern.
        switch self {
        case .forget(let request, _): return duty("forget", "reading what a forget request did", request: request)
        case .requestTraining(let request):
            return duty("training", "noting that training was asked for", request: request)
        case .saveEmbeddings: return duty("embeddings", "keeping embeddings")
        case .partition: return duty("partition", "dealing prompts to shards")
        case .publish(let shard, _, _, _): return duty("publish", "keeping the adapter of shard \(shard)", shard: shard)
        case .withdrawStage(let shard, _):
            return duty("withdraw", "taking away the stage that answers for shard \(shard)", shard: shard)
        case .abandonCorrection(let shard, _, _):
            return duty("correction", "giving up the correction of shard \(shard)", shard: shard)
        case .saveMargins(let adapter, _, _): return duty("rows", "keeping rows of adapter \(adapter.prefix(16))")
        case .tuneAttention: return duty("tune", "tuning the attention")
        case .purge: return duty("purge", "purging the files of what was forgotten")
        case .dropDamaged(let adapter): return duty("file", "taking away the damaged adapter \(adapter.prefix(16))")
        case .finishForget(let request, _):
            return duty("finish", "signing a certificate", request: request)
        case .settleCopies(let settlement): return duty("copies", "noting what worker \(settlement.worker) holds")
        case .forgetCopy(let word, let settlement):
            return duty(
                "declaration", "noting that worker \(settlement.worker)'s disk is destroyed", request: word.request)
        case .quarantine(let dispute):
            return duty("dispute", "quarantining the disputed adapter of shard \(dispute.shard)", shard: dispute.shard)
        case .noteWorkers: return duty("fleet", "noting which workers there are")
        case .setDuty(let word, let record):
            return duty("duty", "noting what worker \(record.name) is to do", request: word.request)
        }
    }
}

extension WorkItem {
    /// As tasks are called in `status`.
    fileprivate var naming: (kind: String, shard: Int?, request: String?) {
        switch self {
        case .train(let shard): ("train", shard, nil)
        case .correct(let shard): ("correct", shard, nil)
        case .prepare(let shard): ("prepare", shard, nil)
        case .copy(let shard): ("keep", shard, nil)
        case .check(let shard): ("check", shard, nil)
        case .values(.embeddings): ("embed", nil, nil)
        case .values(.margins): ("reference", nil, nil)
        case .operation(let id): ("operation", nil, id)
        }
    }
}
