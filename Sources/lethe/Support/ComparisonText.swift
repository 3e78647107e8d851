import Experiments
import Foundation
import Unlearning

/// A comparison of methods as tables for people; the JSON has more.
struct ComparisonText {
    private let report: ComparisonReport

    init(_ report: ComparisonReport) { self.report = report }

    var text: String {
        guard !report.cases.isEmpty else { return [header, gaps].filter { !$0.isEmpty }.joined(separator: "\n\n") }
        let parts = [gaps, quality, nearer, spillover, effort, drift, failures].filter { !$0.isEmpty }
        return ([header] + parts + [notes]).joined(separator: "\n\n")
    }

    /// What the table does not stand on.
    var gaps: String {
        guard let missing = report.missing, !missing.isEmpty else { return "" }
        let all = missing.count + report.cases.count
        let reasons = Dictionary(
            (report.failed ?? []).map { ($0.planned.digest, $0.reason) }, uniquingKeysWith: { first, _ in first })
        return "\(missing.count) of \(all) cases are missing:\n"
            + missing.map { planned in
                "  seed \(planned.seed), \(planned.data)" + (reasons[planned.digest].map { ": \($0)" } ?? "")
            }.joined(separator: "\n")
    }

    var header: String {
        guard let first = report.cases.first else { return "nothing was compared" }
        let seeds = Set(report.cases.map(\.seed)).sorted().map(String.init).joined(separator: ", ")
        return "\(first.training) training, \(first.validation) validation and \(first.test) test prompts; "
            + "\(first.shards) shards, APA's by \(first.partition.rawValue); \(first.epochs) epochs; seeds \(seeds)"
            + (references.isEmpty ? "" : "; IFRU by the gradients of \(references) prompts")
    }

    /// "512", or "510 to 512" where cases differ.
    private var references: String {
        let counts = report.cases.compactMap(\.influenceReferences)
        guard let least = counts.min(), let most = counts.max() else { return "" }
        return least == most ? "\(least)" : "\(least) to \(most)"
    }

    /// Rows of all kinds in one table, so that columns line up; the kind's name stands above its rows.
    private func blocks(_ columns: [String], _ cells: (ComparisonSummary) -> [String]) -> String {
        var rows: [[String]] = [columns]
        var kind: ForgetKind?
        for summary in report.summaries {
            if summary.kind != kind {
                kind = summary.kind
                rows.append([])
                rows.append(["forget \(summary.kind)"])
            }
            rows.append(["  " + summary.label] + cells(summary))
        }
        return table(rows)
    }

    private var quality: String {
        blocks([
            "distance and quality", "JSD", "deleted", "rebuilt", "sym. KL", "L2", "MIA", "AUC", "accuracy", "log-loss",
            "spill. log-loss",
        ]) {
            [
                cell($0.jensenShannon, 4), cell($0.deletedJensenShannon, 4), cell($0.rebuiltJensenShannon, 4),
                cell($0.symmetrisedKullbackLeibler, 4), cell($0.euclidean),
                cell($0.membership), cell($0.auc), cell($0.accuracy), cell($0.logLoss), cell($0.spilloverLogLoss),
            ]
        }
    }

    /// Which methods lie nearer to Retrain than which; nothing for a report without paired distances.
    private var nearer: String {
        let (intervals, differences) = (report.intervals, report.differences)
        guard !intervals.isEmpty else { return "" }
        var rows = [
            ["JSD to Retrain, paired", "mean", "± 2 SE", "SE prompts", "SE seeds", "nearer, beyond 2 SE, than"]
        ]
        let summaries = report.summaries
        var kind: ForgetKind?
        for interval in intervals {
            if interval.kind != kind {
                kind = interval.kind
                rows.append([])
                let (seeds, prompts) = (interval.distance.seeds, interval.distance.prompts)
                rows.append(["forget \(interval.kind), seeds: \(seeds), prompts: \(prompts)"])
            }
            let than = differences.filter {
                $0.kind == interval.kind && $0.method == interval.method && $0.isNearer
            }
            let summary = summaries.first { $0.kind == interval.kind && $0.method == interval.method }
            rows.append([
                "  " + (summary?.label ?? interval.method.name), plain(interval.distance.mean),
                plain(interval.standardError.map { 2 * $0 }), plain(interval.distance.promptError),
                plain(interval.distance.seedError),
                than.map(\.than.rawValue).joined(separator: ", "),
            ])
        }
        return table(rows)
    }

    /// What seeing changed prompts is worth to IFRU, one line for each kind that rebuilt any.
    var spillover: String {
        report.spillover.map { finding in
            let error = finding.standardError.map { " ± \(decimal(2 * $0, 4))" } ?? ""
            return "spillover, forget \(finding.kind), rebuilt prompts: \(finding.prompts), seeds: "
                + "\(finding.difference.seeds): JSD of IFRU less that without spillover "
                + "\(decimal(finding.difference.mean, 4))\(error), \(verdict(of: finding))"
        }.joined(separator: "\n")
    }

    private func verdict(of finding: SpilloverFinding) -> String {
        if finding.isVisible { return "visible" }
        if finding.prompts < SpilloverFinding.fewestPrompts {
            return "not judged on fewer than \(SpilloverFinding.fewestPrompts) prompts"
        }
        if finding.difference.seeds < 2 { return "not judged on one seed" }
        return finding.difference.tells ? "farther with spillover" : "not told from none"
    }

    private func estimate(_ distance: DistanceEstimate?) -> String {
        guard let distance else { return "-" }
        let error = distance.standardError.map { " ± \(decimal(2 * $0, 4))" }
        return decimal(distance.mean, 4) + (error ?? "")
    }

    private func plain(_ value: Double?) -> String { value.map { decimal($0, 4) } ?? "-" }

    private var effort: String {
        blocks(
            [
                "effort and fairness", "request s", "× Retrain", "prepared s", "scored tok.", "trained tok.",
                "parameters", "core", "random", "edge",
            ]
        ) {
            [
                cell($0.requestSeconds, 2), cell($0.speedup, 1), cell($0.preparationSeconds, 2), count($0.scoredTokens),
                count($0.trainedTokens), count($0.parameters), cell($0.coreLogLoss), cell($0.randomLogLoss),
                cell($0.edgeLogLoss),
            ]
        }
    }

    private var drift: String {
        let (counts, tracks) = report.driftTracks
        guard !tracks.isEmpty else { return "" }
        let header =
            ["JSD to Retrain in sequence, ± 2 SE"] + counts.map { "after \($0)" } + ["requests s", "prepared s"]
        return table(
            [header]
                + tracks.map { track in
                    ["  " + track.label] + track.points.map { estimate($0?.distance) }
                        + [cell(track.last?.requestSeconds, 2), cell(track.last?.preparationSeconds, 2)]
                })
    }

    var failures: String {
        let rows = report.summaries.filter { $0.failed > 0 }.map {
            "failed: \($0.method.name), forget \($0.kind), \($0.failed) of \($0.rows): \($0.failure ?? "")"
        }
        let points = report.driftSummaries.compactMap { point in
            point.failure.map { "failed: \(point.method.name), sequence, after \(point.requests): \($0)" }
        }
        return (rows + points + refusals).joined(separator: "\n")
    }

    private var refusals: [String] {
        let rows = report.summaries.filter { $0.refused > 0 }.map {
            "\($0.method.name), forget \($0.kind), \($0.refused) of \($0.rows), the numbers are of it as computed: "
                + ($0.refusal ?? "")
        }
        let tracks = report.driftTracks.tracks.compactMap { track in
            track.points.lazy.compactMap { $0 }.first { $0.refused > 0 }.map {
                "\($0.method.name), sequence, after \($0.requests) and later, the numbers are of it as computed: "
                    + ($0.refusal ?? "")
            }
        }
        return (rows + tracks).map { "a correction by " + $0 }
    }

    private var notes: String {
        """
        JSD, sym. KL and L2: distance of the answers on the forget set to Retrain's; deleted, rebuilt: JSD on each of its two \
        parts. MIA: membership inference AUC; compare with Retrain's.
        log-loss under core, random, edge: test prompts of the third of the users with the most interactions, of a random \
        third, with the fewest.
        nearer: differences to Retrain prompt by prompt, beyond two standard errors; of all other pairs nothing is said.
        Means ± deviation over seeds and requests. --json has every row and says how each number is to be read.
        """
    }

    private func cell(_ statistic: Statistic?, _ places: Int = 3) -> String {
        guard let statistic else { return "-" }
        let mean = decimal(statistic.mean, places)
        return statistic.count > 1 ? "\(mean) ± \(decimal(statistic.deviation, places))" : mean
    }

    private func count(_ statistic: Statistic?) -> String {
        statistic.map { decimal($0.mean, 0) } ?? "-"
    }
}

extension ComparisonSummary {
    /// With a mark where a cluster would refuse.
    var label: String { method.name + (refused > 0 ? " (refused \(refused) of \(rows))" : "") }
}

extension ComparisonReport {
    /// How each method went through the sequence.
    struct DriftTrack {
        var method: ComparisonMethod
        /// One for each count of requests; nil where there is none.
        var points: [DriftSummary?]
        var last: DriftSummary? { points.lazy.compactMap { $0 }.last }
        /// With a mark where a cluster would refuse.
        var label: String { method.name + (points.contains { $0?.refused ?? 0 > 0 } ? " (refused)" : "") }
    }

    /// The counts of requests after which anything was measured, and every method that was followed.
    var driftTracks: (counts: [Int], tracks: [DriftTrack]) {
        let points = driftSummaries
        let counts = Set(points.map(\.requests)).sorted()
        let tracks = ComparisonMethod.allCases.compactMap { method -> DriftTrack? in
            let own = points.filter { $0.method == method }
            guard !own.isEmpty else { return nil }
            return DriftTrack(
                method: method, points: counts.map { requests in own.first { $0.requests == requests } })
        }
        return (counts, tracks)
    }
}
