import ArgumentParser
import Client
import Experiments
import Foundation
import Messages
import Recommendation
import Unlearning

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Measure AUC, accuracy and log-loss on a split.",
        discussion: """
            Of the aggregate with sample-adaptive attention, of the same with equal weights, of each adapter alone, of the \
            mean of their outputs and of the base model; with --compare also of one adapter trained on all data, which is \
            what one gives up to be able to forget.

            "APA" is with the attention in force, to the whole prompt; "by history" looks at the user's history alone, as \
            rankings do. --attention measures both at another τ and n than those that validation chose.

            With --compare and any of --quick, --forget, --seeds, --methods, --figures (or --limit, --sequence, --epochs, \
            --resume) unlearning methods are compared instead, on this cluster's data and configuration and on identical \
            forget requests: distance to retraining, quality, time, fairness, and many small requests in sequence. \
            Nothing is forgotten and no adapter of the cluster changes.

            For every kind of forgetting --json has "intervals" (each method's mean distance to Retrain, with its standard \
            errors over prompts and over seeds), "differences" (of every two methods, over the same prompts; "is_nearer" \
            beyond two standard errors only) and, of each request, "paired": the means and covariances that both are \
            made of. "part_intervals", "part_differences" and "parts" say the same of deleted prompts and of rebuilt ones \
            (those of others' whose history changed) apart, "spillover" what IFRU gains on the latter by seeing them.

            With --resume DIR every finished case (all methods for one seed and one version of the data) is kept in DIR. \
            Stopped with Ctrl-C, or without a coordinator that answers, it prints the table of the cases that there are; \
            "missing" in --json lists the others and "incomplete" says why (exit status 75 when stopped). Asked again with \
            the same DIR it computes what is missing. Cases of other data, settings, seeds or another base model are never \
            taken; damaged files are named and computed again.

            A case that fails is tried again behind the others, three times in all, or eight where its workers are lost with \
            it; then its reason stands in "failed", beside the cases that there are, and the exit status is 1. The \
            coordinator goes on with a comparison for 24 hours in which nobody asks for it. Then, or with --stop OPERATION, \
            it ends, and what it found by then is still there for DIR.
            """)

    @Option(help: "train, validation or test.")
    var split: Split = .test

    @Flag(help: "Also train one adapter on all data and measure it.")
    var compare = false

    @Option(
        help: ArgumentHelp(
            "Measure attention at TAU:N, such as 30:20, in place of what validation chose: τ "
                + "\(SampleAdaptiveAttention.Parameters.tauBounds.inWords), N neighbours, "
                + "\(SampleAdaptiveAttention.Parameters.neighbourBounds.inWords)."))
    var attention: String?

    @Option(
        help: ArgumentHelp(
            "End an evaluation, a verification or a comparison that is under way instead, by its id in `lethe status`; what a "
                + "comparison found until then a client with its --resume folder still gets.", valueName: "operation"))
    var stop: String?

    @Flag(help: "Leave out the base model and each adapter alone: much quicker with many shards.")
    var aggregates = false

    @OptionGroup var comparison: ComparisonFlags

    @OptionGroup var client: ClientOptions

    func validate() throws {
        _ = try parameters()
        guard stop == nil || !(compare || aggregates || attention != nil || comparison.isAsked) else {
            throw ValidationError("--stop ends an operation and measures nothing: leave the other options out")
        }
        guard comparison.isAsked else { return }
        guard compare else { throw ValidationError("these options belong to --compare") }
        guard split == .test else { throw ValidationError("methods are compared on the test split") }
        guard attention == nil, !aggregates else {
            throw ValidationError("--attention and --aggregates are not for a comparison of methods")
        }
        guard comparison.resume == nil || comparison.report == nil else {
            throw ValidationError("--resume computes and --report shows: one of them")
        }
        _ = try comparison.options()
    }

    func run() throws {
        if let stop { return try end(stop) }
        if comparison.isAsked { return try comparison.run(client) }
        let parameters = try self.parameters()
        try client.withClient { coordinator in
            let body = try coordinator.complete(
                .evaluate(.init(split: split, compare: compare, attention: parameters, aggregatesOnly: aggregates)))
            guard let result = try ReplyCoding.decode(OperationReply<EvaluateReply>.self, from: body).result else {
                throw CommandFailure(.failed, "the reply holds no report")
            }
            try client.output.emit(result) {
                let rows = result.variants.map { variant in
                    [
                        variant.name, number(variant.auc), number(variant.aucStandardError),
                        variant.aboveBase.map(Self.text) ?? "", number(variant.accuracy), number(variant.logLoss),
                        decimal(variant.tokensPerSecond, 0),
                    ]
                }
                let chance = result.variants.filter { $0.tellsFromChance == false }.map(\.name)
                return table([["model", "AUC", "± SE", "above base ± SE", "accuracy", "log-loss", "tokens/s"]] + rows)
                    + "\n\(result.prompts) \(result.split) prompts; attention τ \(decimal(result.tau, 1)), "
                    + "n \(result.neighbours)" + (result.exact ? "" : "; some adapters are approximate")
                    + (chance.isEmpty
                        ? ""
                        : "\nso few prompts cannot tell these from chance (AUC within 2 SE of 0.5): "
                            + chance.joined(separator: ", "))
            }
        }
    }

    private func end(_ operation: String) throws {
        try client.withClient { coordinator in
            let reply: CoordinatorClient.Reply
            do {
                reply = try coordinator.call(.stop(operation: operation))
            } catch let error as ClientError where error.code == .invalidRequest {
                // What has the right form and cannot be stopped has another code.
                throw ClientError(
                    code: error.code,
                    message: "nothing was stopped: the coordinator is of an older release, which knows no such "
                        + "request; upgrade it (\(error.message))")
            }
            try client.output.emit(json: reply.body) {
                let report = try ReplyCoding.decode(OperationReply<ComparedCases>.self, from: reply.body).report
                let isStopped = report.error?.code == .stopped
                return
                    "\(report.kind) \(report.id.printable): \(isStopped ? "stopped" : "had ended, \(report.state.rawValue)")"
            }
        }
    }

    private func parameters() throws -> SampleAdaptiveAttention.Parameters? {
        guard let text = attention else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let tau = Double(parts[0]), let neighbours = Int(parts[1]) else {
            throw ValidationError("--attention takes TAU:N, a number and a whole number such as 30:20, not \(text)")
        }
        let parameters = SampleAdaptiveAttention.Parameters(tau: tau, neighbours: neighbours)
        do {
            try parameters.check()
        } catch UnlearningError.invalidSpecification(let reason) {
            throw ValidationError("--attention: \(reason)")
        }
        return parameters
    }

    /// Of the same prompts, so that it tells more than the two errors beside each other.
    private static func text(_ gain: AUCDifference) -> String {
        "\(gain.difference < 0 ? "−" : "+")\(decimal(abs(gain.difference))) ± \(decimal(gain.standardError))"
    }

    private func number(_ value: Double?) -> String {
        value.map { decimal($0) } ?? "-"
    }
}
