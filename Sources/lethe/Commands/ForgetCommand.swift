import ArgumentParser
import Foundation
import Messages

struct ForgetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget",
        abstract: "Forget users or single interactions, everywhere.",
        discussion: """
            Once this command says "accepted", the request survives crashes and no answer comes from weights that saw the \
            data. The shards that held it retrain from their initial adapters without it; `--wait` waits for that and \
            prints the signed certificate.

            The approximate methods e2urec and ifru correct the adapters instead, in seconds; what they give is called \
            approximate everywhere and cannot be verified by replay. With `--bridge` such an adapter only serves until \
            the exactly retrained one takes its place.

            A file names one target a line, as the flags do: U, or U:I, or U:I:T; or a JSON object \
            {"user": …, "item": …, "timestamp": …}. Empty lines and lines that begin with # are skipped.
            """)

    @Option(help: "Forget everything of this user. May be repeated.")
    var user: [String] = []

    @Option(help: "Forget the user's interactions with an item, or the one at a time: U:I or U:I:T. May be repeated.")
    var interaction: [String] = []

    @Option(help: "A file of targets.")
    var file: String?

    @Option(help: "What times that are numbers count since 1970, as at the import. [default: by their magnitude]")
    var timeUnit: TimeUnit?

    @Option(help: "apa retrains exactly, e2urec and ifru correct approximately. [default: the cluster's]")
    var method: String?

    @Option(help: "With apa: e2urec or ifru corrects the adapters, which serve until they are retrained.")
    var bridge: String?

    @Option(help: "A name for this request; repeating a request under its name does nothing twice. [default: random]")
    var requestID: String?

    @Flag(help: "Only say what would happen.")
    var dryRun = false

    @Flag(help: "Wait for clean adapters.")
    var wait = false

    @OptionGroup var client: ClientOptions

    func run() throws {
        try reportingFailures(json: client.json) {
            var targets = ForgetTargets(unit: timeUnit?.form)
            for user in user { try targets.addUser(user) }
            for text in interaction { try targets.addInteraction(text) }
            if let file { try targets.addFile(file) }
            guard !targets.users.isEmpty || !targets.interactions.isEmpty else {
                throw CommandFailure(.usage, "nothing to forget: name --user, --interaction or --file")
            }
            let coordinator = try client.connect()
            let request = ClientRequest.forget(
                .init(
                    users: targets.users, interactions: targets.interactions, method: method, bridge: bridge,
                    dryRun: dryRun))
            if dryRun {
                let reply = try coordinator.call(request, patience: .seconds(120))
                let plan = try ReplyCoding.decode(ForgetPlan.self, from: reply.body)
                try client.output.emit(PlanSummary(plan)) { PlanSummary(plan).text }
                return
            }
            let id = requestID ?? UUID().uuidString.lowercased()
            let reply = try coordinator.call(request, id: id, patience: .seconds(120))
            let accepted = try ReplyCoding.decode(ForgetReply.self, from: reply.body)
            // A repeated request may have been finished long ago.
            guard wait, accepted.certificate == nil else {
                try client.output.emit(ForgetSummary(accepted), done: Self.isAccepted(accepted)) {
                    ForgetSummary(accepted).text
                }
                return
            }
            Output.note(ForgetSummary(accepted).text)
            let body = try coordinator.wait(forOperation: accepted.outcome.request)
            let done = try ReplyCoding.decode(OperationReply<ForgetReply>.self, from: body)
            guard let result = done.result else { throw CommandFailure(.failed, "the reply holds no certificate") }
            try client.output.emit(ForgetSummary(result), done: Self.isAccepted(result)) { ForgetSummary(result).text }
        }
    }
}

extension ForgetCommand {
    /// Also where nobody could read the report.
    private static func isAccepted(_ reply: ForgetReply) -> String {
        "the data is forgotten, as request \(reply.outcome.request) (lethe requests)"
    }
}

/// `--dry-run`, flat for scripts.
private struct PlanSummary: Encodable {
    var users: Int
    var interactions: Int
    var alreadyForgotten: Int
    var promptsDeleted: Int
    var promptsRebuilt: Int
    var method: String
    var bridge: String?
    /// Shards that would retrain.
    var shards: [Int]
    /// Shards whose adapter would be corrected approximately.
    var corrects: [Int]
    var tokens: Int?
    var seconds: Double?
    var plan: ForgetPlan

    init(_ plan: ForgetPlan) {
        users = plan.counts.users
        interactions = plan.counts.interactions
        alreadyForgotten = plan.alreadyForgotten
        promptsDeleted = plan.counts.promptsDeleted.total
        promptsRebuilt = plan.counts.promptsRebuilt.total
        method = plan.method.rawValue
        bridge = plan.bridge?.rawValue
        shards = plan.shards.filter(\.retrains).map(\.index)
        corrects = plan.shards.filter(\.corrects).map(\.index)
        tokens = plan.tokens
        seconds = plan.seconds
        self.plan = plan
    }

    var text: String {
        var lines = [
            "would forget \(interactions) interactions (\(users) whole users): "
                + "\(promptsDeleted) prompts deleted, \(promptsRebuilt) rebuilt"
        ]
        if alreadyForgotten > 0 { lines.append("\(alreadyForgotten) targets were forgotten before") }
        lines.append("method: \(method)" + (bridge.map { ", bridged by \($0)" } ?? ""))
        if !corrects.isEmpty {
            let list = corrects.map(String.init).joined(separator: ", ")
            lines.append("shards to correct by \(bridge ?? method), approximately: \(list)")
        }
        for shard in plan.shards {
            guard let fallback = shard.fallback else { continue }
            lines.append("shard \(shard.index) would be retrained instead of corrected: \(fallback.description)")
        }
        if shards.isEmpty {
            if corrects.isEmpty { lines.append("no adapter has to be retrained") }
        } else {
            let cost = tokens.map { "\($0) tokens" } ?? "tokens not known before the first training"
            let time = seconds.map { ", about \(decimal($0, 0)) s of training" } ?? ""
            let list = plan.shards.filter(\.retrains).map { shard in
                let from = shard.slice.flatMap { slice in shard.slices.map { " from slice \(slice) of \($0) on" } }
                return "\(shard.index)\(from ?? "")"
            }
            lines.append("shards to retrain: \(list.joined(separator: ", ")) (\(cost)\(time))")
        }
        return lines.joined(separator: "\n")
    }
}

/// An accepted or finished request, flat for scripts.
private struct ForgetSummary: Encodable {
    var request: String
    var state: String
    var interactions: Int
    var promptsDeleted: Int
    var promptsRebuilt: Int
    var alreadyForgotten: Int
    var method: String
    var bridge: String?
    /// The shards that retrain or are corrected, or the adapters they have now.
    var shards: [Shard]
    var certificate: Certificate?
    var unconfirmed: [UnconfirmedCopy]
    var supplements: [Supplement]

    struct Shard: Encodable {
        var shard: Int
        /// What answers for the shard now: "none", "approximate" or "exact".
        var serving: String
        /// What answers is a stage, trained on so many of `slices` slices, until the shard is trained again; nil: it is none.
        var stage: Int?
        var slices: Int?
        /// How its adapter was made.
        var method: String?
        /// It is corrected before, or instead of, being retrained.
        var corrects: Bool
        /// Why it was retrained although a correction was asked for.
        var fallback: String?
        var adapter: String?
        /// Of IFRU: whether what a request needs was computed before it came, and how long that took.
        var preparedBeforehand: Bool?
        var preparationSeconds: Double?
        var prompts: Int?
        var tokens: Int?
        /// Of these, the tokens that were trained for it: the others were in the stage that it began at.
        var tokensTrained: Int?
        var seconds: Double

        /// How it got the adapter that it has.
        func course(by method: String) -> String {
            if let stage { return "\(StageWords.text(stage, of: slices)), answers until it is retrained" }
            guard serving == "approximate" else {
                return "retrained in \(decimal(seconds, 1)) s"
                    + (fallback.map { "; not corrected, because \($0)" } ?? "")
            }
            var line = "corrected by \(self.method ?? method), approximate, in \(decimal(seconds, 1)) s"
            if let preparationSeconds, let preparedBeforehand {
                let time = "\(decimal(preparationSeconds, 1)) s"
                line +=
                    preparedBeforehand
                    ? " (after \(time) of preparation beforehand)" : " (\(time) of these preparation)"
            }
            return line
        }
    }

    init(_ reply: ForgetReply) {
        request = reply.outcome.request
        state = reply.certificate == nil ? "accepted" : "finished"
        interactions = reply.outcome.counts.interactions
        promptsDeleted = reply.outcome.counts.promptsDeleted.total
        promptsRebuilt = reply.outcome.counts.promptsRebuilt.total
        alreadyForgotten = reply.outcome.alreadyForgotten
        method = (reply.outcome.method ?? .apa).rawValue
        bridge = reply.outcome.bridge?.rawValue
        shards = reply.outcome.waitingFor.map { shard in
            let adapter = reply.retrained.first { $0.shard == shard }
            let stage = adapter.flatMap { $0.training.isStage ? $0.training.slices : nil }
            let entry = reply.certificate?.statement.shards.first { $0.index == shard }
            return Shard(
                shard: shard, serving: adapter.map { $0.training.isExact ? "exact" : "approximate" } ?? "none",
                stage: stage?.stage, slices: stage?.count, method: adapter?.method,
                corrects: reply.outcome.correcting?.contains(shard) ?? false,
                fallback: entry?.fallback?.description, adapter: adapter?.name,
                preparedBeforehand: adapter?.training.correction?.preparation?.beforehand,
                preparationSeconds: adapter?.training.correction?.preparation?.cost.seconds,
                prompts: adapter?.training.prompts, tokens: adapter?.training.tokens,
                tokensTrained: adapter.map { $0.training.slices?.tokens ?? $0.training.tokens },
                seconds: adapter?.training.seconds ?? 0)
        }
        certificate = reply.certificate
        unconfirmed = reply.unconfirmed
        supplements = reply.supplements
    }

    var text: String {
        var lines = [
            "\(state) as \(request): \(interactions) interactions forgotten, \(promptsDeleted) prompts deleted, "
                + "\(promptsRebuilt) rebuilt"
        ]
        if alreadyForgotten > 0 { lines.append("\(alreadyForgotten) targets were forgotten before") }
        for shard in shards {
            if let adapter = shard.adapter {
                lines.append("shard \(shard.shard): \(shard.course(by: method)), adapter \(adapter.prefix(16))")
            } else if shard.corrects {
                let then = bridge == nil ? "" : ", and that is retrained"
                lines.append(
                    "shard \(shard.shard): its adapter carries no weight until it is corrected by \(bridge ?? method)\(then)"
                )
            } else {
                lines.append("shard \(shard.shard): its adapter carries no weight until it is retrained")
            }
        }
        if shards.isEmpty { lines.append("no adapter had seen the data") }
        if let certificate { lines.append("certificate: \(certificate.statement.exactness)") }
        for shard in certificate?.statement.shards ?? [] {
            for stage in shard.meanwhile ?? [] {
                lines.append(
                    "shard \(shard.index): stage \(stage.slice) of \(stage.slices), exact, in service from \(stage.since), "
                        + "adapter \(stage.adapter.prefix(16))")
            }
        }
        for check in certificate?.statement.doubleChecks ?? [] { lines.append(check.text) }
        for copy in unconfirmed {
            let state =
                switch copy.keyDestroyed {
                case true?: " (sealed, and the keys of what was forgotten are destroyed: it is noise)"
                case false?: " (handed out in clear, by a release before)"
                case nil: ""
                }
            lines.append(
                "worker \(copy.worker) (\(copy.name)) is away and has not confirmed dropping its copy of shard "
                    + "\(copy.shard)\(state); when it comes back it is made to, and the evidence is added to; a lost disk is declared "
                    + "destroyed with: lethe workers forget-copy \(copy.worker)")
        }
        return lines.joined(separator: "\n")
    }
}

extension DoubleCheck {
    fileprivate var text: String {
        switch outcome {
        case .sameBytes:
            "shard \(shard): trained by two workers to the same bytes (\(workers.joined(separator: ", ")))"
        case .noOtherWorker: "shard \(shard): not trained a second time, since no other worker was there"
        case .failed: "shard \(shard): not trained a second time, since other workers failed at it"
        case .superseded: "shard \(shard): not trained a second time before later requests had it retrained"
        }
    }
}
