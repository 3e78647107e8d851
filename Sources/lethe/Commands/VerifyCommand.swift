import ArgumentParser
import Cluster
import Foundation

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Replay the training and compare bytes.",
        discussion: """
            Trains the shards again, from the initial adapter on the data retained now, if possible on another worker than \
            the one that trained them, and compares the content names. Ends with status 2 when one differs, or when a shard's adapter is approximate: that \
            cannot be verified by replay.
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
                        shard.match ? "same bytes" : "DIFFERENT", decimal(shard.seconds, 1), shard.worker,
                    ]
                }
                var lines = [table(rows)]
                lines += result.approximate.map { shard in
                    "shard \(shard.shard): approximate (\(shard.method.rawValue), corrections: \(shard.corrections)): cannot be "
                        + "verified by replay"
                }
                lines += ["audit log: \(result.auditChain ? "chain intact" : "CHAIN BROKEN")"]
                if let certificate = result.certificate {
                    lines.append("certificate: \(certificate ? "signature valid" : "SIGNATURE INVALID")")
                }
                lines.append(result.verified ? "verified" : "NOT VERIFIED")
                return lines.joined(separator: "\n")
            }
            if !result.verified { throw ExitCode(ExitStatus.mismatch.rawValue) }
        }
    }
}
