import ClusterTestSupport
import Coordination
import Messages

extension ActionSentences {
    func lines(_ reply: CoordinatorReply, to request: String) -> [String] {
        switch reply {
        case .operation(let report, let result):
            return ["reply to \(request): \(sentence(report))"] + (result.map { lines($0) } ?? [])
        case .forgetAccepted(let state, let outcome):
            let correcting = outcome.correcting ?? []
            return [
                "reply to \(request): accepted, of \(outcome.shards.shards); waits for \(outcome.waitingFor.shards)"
                    + (correcting.isEmpty ? "" : ", corrects \(correcting.shards)")
                    + (state == .running ? "" : "; it is \(state.rawValue)")
            ]
        case .status(let status): return ["reply to \(request): \(status.activity)"] + lines(status)
        case .forgottenCopy(let settlement):
            return [
                "reply to \(request): noted, of \(settlement.shards.map(\.shard).shards) on worker \(settlement.worker)"
            ]
        case .ordered(let reply):
            return [
                "reply to \(request): \(reply.verb.rawValue) worker \(reply.name), which has \(reply.tasks) tasks and "
                    + reply.shards.shards
            ]
        case .comparedCases(let report, let cases):
            return ["reply to \(request): \(sentence(report))", "  with \(cases.found.count) of its cases"]
        case .unknownOperation(let id): return ["reply to \(request): no operation \(id) is known"]
        case .failure(let error): return ["reply to \(request): refused (\(error.code)): \(error.message)"]
        }
    }

    private func sentence(_ report: OperationReport) -> String {
        let error = report.error.map { " (\($0.code)): \($0.message)" } ?? ""
        let progress = report.progress == report.state.rawValue ? "" : ", \(report.progress)"
        return "\(report.kind) \(report.id) is \(report.state.rawValue)\(progress)\(error)"
    }

    private func lines(_ result: OperationResult) -> [String] {
        switch result {
        case .forget: ["  its certificate is signed"]
        case .evaluation: ["  its report is there"]
        case .verification(let report):
            report.shards.map { shard in
                "  shard \(shard.shard): \(shard.published) is published, worker \(shard.worker) trained \(shard.replayed): "
                    + (shard.match ? "the same bytes" : "OTHER BYTES")
            } + report.approximate.map { "  shard \($0.shard): \($0.published) is approximate" }
                + report.empty.map { "  shard \($0) is empty" }
                + report.notCurrent.map { "  shard \($0) is not current" }
                + report.changed.map { "  shard \($0.shard) changed, to \($0.newAdapter ?? "no adapter yet")" }
        case .comparison(let found): ["  \(found.report.cases.count) cases are compared"]
        }
    }

    private func part(of worker: StatusReport.Worker) -> String {
        let duty = worker.duty == .work ? nil : worker.duty?.rawValue
        return (duty.map { " (\($0))" } ?? "") + (worker.isLeaving == true ? " (leaving)" : "")
            + (worker.awayBecause.map { " because: \($0)" } ?? "")
    }

    private func lines(_ status: StatusReport) -> [String] {
        let shards = status.shards.map { shard in
            "  shard \(shard.shard) is \(shard.state.rawValue): \(shard.manifest), \(shard.prompts) prompts, "
                + (shard.adapter.map { "adapter \($0)" } ?? "no adapter")
                + (shard.owner.map { ", worker \($0)'s" } ?? ", nobody's")
                + (shard.fallback.map { "; \($0)" } ?? "") + (shard.damage.map { "; \($0)" } ?? "")
        }
        let workers = status.workers.map { worker in
            "  worker \(worker.id) is \(worker.state.rawValue)\(part(of: worker)), has "
                + (worker.copies.isEmpty
                    ? "nothing" : worker.copies.map { $0.manifests.joined(separator: " or ") }.list)
                + worker.tasks.map { ", does: \($0.description)" }.joined()
        }
        let forgets = status.pendingForgets.map { pending in
            "  forget \(pending.request) waits for \(pending.waitingFor.shards)"
                + pending.unconfirmed.map { "; \($0.text) is not confirmed gone" }.joined()
        }
        let stuck = status.stuck.map { "  stuck: \($0.description), attempt \($0.attempts): \($0.reason)" }
        return shards + workers + forgets + status.disputes.map { "  \($0)" } + stuck
    }
}
