import ArgumentParser
import Cluster
import Foundation
import Recommendation

struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Measure AUC, accuracy and log-loss on a split.",
        discussion: """
            Of the aggregate with sample-adaptive attention, of the same with equal weights, of each adapter alone, of the \
            mean of their outputs and of the base model; with --compare also of one adapter trained on all data, which is \
            what one gives up to be able to forget.
            """)

    @Option(help: "train, validation or test.")
    var split: Split = .test

    @Flag(help: "Also train one adapter on all data and measure it.")
    var compare = false

    @OptionGroup var client: ClientOptions

    func run() throws {
        try client.withClient { coordinator in
            let reply = try coordinator.call(.evaluate(.init(split: split, compare: compare)))
            let accepted = try ReplyCoding.decode(AcceptedReply.self, from: reply.body)
            let body = try coordinator.wait(forOperation: accepted.report.id)
            guard let result = try ReplyCoding.decode(OperationReply<EvaluateReply>.self, from: body).result else {
                throw CommandFailure(.failed, "the reply holds no report")
            }
            try client.output.emit(result) {
                let rows = result.variants.map { variant in
                    [
                        variant.name, number(variant.auc), number(variant.accuracy), number(variant.logLoss),
                        decimal(variant.tokensPerSecond, 0),
                    ]
                }
                return table([["model", "AUC", "accuracy", "log-loss", "tokens/s"]] + rows)
                    + "\n\(result.prompts) \(result.split) prompts; attention τ \(decimal(result.tau, 1)), "
                    + "n \(result.neighbours)"
            }
        }
    }

    private func number(_ value: Double?) -> String {
        value.map { decimal($0) } ?? "-"
    }
}
