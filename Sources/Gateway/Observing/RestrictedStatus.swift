import Messages

/// For tokens that neither forget nor audit: clients choose the names of requests, which may be people's.
///
/// Made of what may pass, instead of taking away what may not: a field that a later coordinator tells does not pass by itself.
/// Texts pass that can name only workers, shards and adapters. What an error says may be anything.
extension StatusReply {
    var withoutRequests: StatusReply {
        StatusReply(
            report: report.withoutRequests, statistics: statistics, attention: attention,
            certificateKey: certificateKey, questions: questions, keysPutAside: keysPutAside ?? [])
    }
}

extension StatusReport {
    fileprivate var withoutRequests: StatusReport {
        var passed = StatusReport(
            cluster: cluster, base: base, precision: precision, arithmetic: arithmetic,
            activity: Self.withoutError(activity), workers: workers.map(\.withoutRequests), shards: shards,
            operations: operations.filter { $0.kind != "forget" }.map(\.withoutName), operationsTotal: operationsTotal,
            pendingForgets: [], pendingForgetsTotal: pendingForgetsTotal, disputes: disputes,
            stuck: stuck.map(\.withoutRequest), tuned: tuned, data: data)
        passed.expectedWorkers = expectedWorkers
        passed.trainedTokens = trainedTokens
        return passed
    }

    /// In the place of what an error says.
    fileprivate static let untold = "told to tokens that forget or audit"

    /// Of a line that says what the ledger objects.
    fileprivate static func withoutError(_ line: String) -> String {
        let obstacle = "waiting for the ledger"
        return line.hasPrefix(obstacle) ? obstacle : line
    }
}

extension StatusReport.Worker {
    fileprivate var withoutRequests: StatusReport.Worker {
        var passed = StatusReport.Worker(
            id: id, name: name, state: state, lastSeenSeconds: lastSeenSeconds, threads: threads, shards: shards,
            holds: holds, copies: copies, tasks: tasks.map(\.withoutOperation))
        passed.process = process
        passed.address = address
        passed.release = release
        passed.protocolVersion = protocolVersion
        passed.uptimeSeconds = uptimeSeconds
        passed.awaySeconds = awaySeconds
        passed.awayBecause = awayBecause
        passed.duty = duty
        passed.isLeaving = isLeaving
        passed.isEphemeral = isEphemeral
        passed.tokensPerSecond = tokensPerSecond
        return passed
    }
}

extension StatusReport.Task {
    /// Of a part of an operation a coordinator of an older release says whose in its line; such a part is of no shard.
    fileprivate var withoutOperation: StatusReport.Task {
        StatusReport.Task(
            kind: kind, shard: shard, description: shard == nil ? kind : description, step: step, steps: steps,
            loss: loss, tokensPerSecond: tokensPerSecond, secondsRemaining: secondsRemaining, unkept: unkept)
    }
}

extension OperationReport {
    fileprivate var withoutName: OperationReport {
        OperationReport(
            id: "", kind: kind, state: state, progress: StatusReport.withoutError(progress), fraction: fraction,
            error: error.map { ClientError(code: $0.code, message: StatusReport.untold) })
    }
}

extension StatusReport.StuckDuty {
    /// A coordinator of an older release names the request in its line.
    fileprivate var withoutRequest: StatusReport.StuckDuty {
        let words =
            switch (request, kind) {
            case (nil, _): description
            case (_, "finish"): "signing a certificate"
            case (_, "forget"): "reading what a forget request did"
            case (_, "operation"): "work of an operation"
            default: kind
            }
        return StatusReport.StuckDuty(
            kind: kind, description: words, shard: shard, code: code, reason: StatusReport.untold, attempts: attempts)
    }
}
