import ArgumentParser
import Foundation
import Messages

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Replay the training and compare bytes.",
        discussion: """
            Trains the shards again, from the initial adapter on the data retained now, and compares the content names; on \
            another worker than the one that trained them, unless that is the only one. Shards that are being retrained are \
            named, not waited for, except those of the request. Ends with status 2 when one differs, is being retrained or \
            changed before it was replayed, \
            when a shard's adapter is approximate (that cannot be verified by replay), when there is nothing to replay, when \
            an adapter's file does not hold what its name says, and when the evidence (certificate, supplements, audit log) is not whole.
            """)

    @Option(help: "Only the shards that this forget request touched; its certificate's signature is checked too.")
    var request: String?

    @OptionGroup var client: ClientOptions

    func run() throws {
        try client.withClient { coordinator in
            let body = try coordinator.complete(.verify(.init(request: request)))
            guard let result = try ReplyCoding.decode(OperationReply<VerifyReply>.self, from: body).result else {
                throw CommandFailure(.failed, "the reply holds no report")
            }
            try client.output.emit(result) {
                var rows = [["shard", "published", "replayed", "", "seconds", "worker"]]
                rows += result.shards.map { shard in
                    [
                        "\(shard.shard)", String(shard.published.prefix(16)), String(shard.replayed.prefix(16)),
                        shard.match ? "same bytes" : "DIFFERENT", decimal(shard.seconds, 1),
                        shard.worker + shard.relationToTrainer,
                    ]
                }
                var lines = [table(rows)]
                lines += ["audit log: \(result.auditFinding.map { "BROKEN: \($0)" } ?? "chain intact")"]
                if let certificate = result.certificate {
                    lines.append(
                        "certificate: \(certificate ? "signed by this cluster, in its audit log" : "NOT VALID")")
                }
                lines += result.verified ? ["verified"] : result.findings + ["NOT VERIFIED"]
                return lines.joined(separator: "\n")
            }
            if !result.verified { throw ExitCode(ExitStatus.mismatch.rawValue) }
        }
    }
}

extension VerificationReport.Shard {
    fileprivate var relationToTrainer: String {
        guard let trainer else { return "" }
        return trainer == worker ? " (trained it, too: no other worker was there)" : ""
    }
}
