import Messages

extension VerifyReply {
    /// For people.
    var text: String {
        var lines: [String] = []
        if let stages {
            if let seed { lines.append("drawn by --seed \(seed)") }
            lines.append(table(Self.rows(of: stages)))
            if let shows { lines.append(shows) }
            // Those of which none could be drawn are among the findings.
            lines += (unrecorded ?? []).filter { $0.drawable > 0 }.map(\.text)
        } else {
            var rows = [["shard", "published", "replayed", "", "seconds", "worker"]]
            rows += shards.map { shard in
                [
                    "\(shard.shard)", String(shard.published.prefix(16)), String(shard.replayed.prefix(16)),
                    shard.match ? "same bytes" : "DIFFERENT", decimal(shard.seconds, 1),
                    shard.worker + Self.relation(of: shard.worker, to: shard.trainer),
                ]
            }
            lines.append(table(rows))
        }
        lines += ["audit log: \(auditFinding.map { "BROKEN: \($0)" } ?? "chain intact")"]
        if let certificate {
            lines.append("certificate: \(certificate ? "signed by this cluster, in its audit log" : "NOT VALID")")
        }
        lines += verified ? ["verified"] : findings + ["NOT VERIFIED"]
        return lines.joined(separator: "\n")
    }

    private static func rows(of stages: [VerificationReport.Stage]) -> [[String]] {
        [["shard", "slice", "from", "recorded", "replayed", "", "seconds", "worker"]]
            + stages.map { stage in
                let asked = stage.asked.map { " (for \($0), which has no prompts)" } ?? ""
                return [
                    "\(stage.shard)", "\(stage.slice) of \(stage.slices)\(asked)",
                    stage.from == 0 ? "the start" : "stage \(stage.from)",
                    stage.recorded.isEmpty ? "-" : String(stage.recorded.prefix(16)),
                    stage.replayed.map { String($0.prefix(16)) } ?? "-",
                    stage.match ? "same bytes" : stage.missing == nil ? "DIFFERENT" : "not replayed",
                    stage.seconds.map { decimal($0, 1) } ?? "-",
                    stage.worker.map { $0 + relation(of: $0, to: stage.trainer) } ?? "-",
                ]
            }
    }

    private static func relation(of worker: String, to trainer: String?) -> String {
        trainer == worker ? " (trained it, too: no other worker was there)" : ""
    }
}
