import Experiments
import Unlearning

/// A comparison of methods as a Markdown file: every kind of forgetting, fairness and work, the sequence, and how to read
/// each number. A pure function of the report.
struct ComparisonDocument {
    private let report: ComparisonReport
    private let figures: [String]

    /// - Parameter figures: names of the files beside the document.
    init(_ report: ComparisonReport, figures: [String]) {
        self.report = report
        self.figures = figures
    }

    var markdown: String {
        let parts: [[String]] = [
            ["# Methods of unlearning, side by side", ComparisonText(report).header + ".", gaps, Self.reading],
            ["## Distance to retraining, quality and time", image("request-time")],
            sections { kind, summaries in
                [sizes(of: kind), quality(summaries), nearer(of: kind)].filter { !$0.isEmpty }.joined(separator: "\n\n")
            },
            ["## Who pays, and what is computed"],
            sections { effort($1) },
            [ComparisonText(report).spillover, drift, image("attention"), failures, descriptions],
        ]
        return parts.joined().filter { !$0.isEmpty }.joined(separator: "\n\n") + "\n"
    }

    private var gaps: String {
        let lines = ComparisonText(report).gaps.split(separator: "\n")
        guard let head = lines.first else { return "" }
        return "**Not complete:** \(head)" + lines.dropFirst().map { "\n- " + $0.drop { $0 == " " } }.joined()
    }

    private static let reading = """
        Means ± standard deviation over seeds and requests; seconds and ratios are medians. JSD is the Jensen–Shannon \
        divergence, in 10⁻³ nats, from Retrain's answers on the forget set, then on its deleted and its rebuilt \
        prompts apart; "Retrain, other seed" shows how large it is \
        between two trainings on the same data. "before" is what a method computes ahead of any request, trainings left out.
        """

    private func image(_ name: String) -> String {
        figures.first { $0 == name + ".svg" }.map { "![\(name)](\($0))" } ?? ""
    }

    private func sections(_ body: (ForgetKind, [ComparisonSummary]) -> String) -> [String] {
        let summaries = report.summaries
        var kinds: [ForgetKind] = []
        for summary in summaries where !kinds.contains(summary.kind) { kinds.append(summary.kind) }
        return kinds.flatMap { kind in
            ["### Forget `\(kind)`", body(kind, summaries.filter { $0.kind == kind })]
        }
    }

    /// Every request as the seeds made it.
    private func sizes(of kind: ForgetKind) -> String {
        let rows = report.rows.filter { $0.kind == kind && $0.method == .retrain }
        func list(_ value: (ComparisonRow) -> Int) -> String { rows.map { "\(value($0))" }.joined(separator: ", ") }
        return "Training prompts deleted, by request: \(list(\.forgotten)); rebuilt: \(list(\.rebuilt)); "
            + "retained: \(list(\.retained))."
    }

    private func quality(_ summaries: [ComparisonSummary]) -> String {
        Self.table(
            [
                "method", "JSD", "deleted", "rebuilt", "L2", "membership AUC", "AUC", "log-loss", "request, s",
                "× Retrain", "before, s",
            ],
            summaries.map {
                [
                    $0.label, cell($0.jensenShannon, 2, scale: 1000),
                    cell($0.deletedJensenShannon, 2, scale: 1000), cell($0.rebuiltJensenShannon, 2, scale: 1000),
                    cell($0.euclidean), cell($0.membership, 2), cell($0.auc), cell($0.logLoss),
                    median($0.requestSeconds), median($0.speedup),
                    median($0.preparationSeconds),
                ]
            })
    }

    /// What can be told; nothing for a report without paired distances.
    private func nearer(of kind: ForgetKind) -> String {
        let differences = report.differences.filter { $0.kind == kind }
        guard !differences.isEmpty else { return "" }
        let told = differences.filter(\.isNearer)
        let sentences = ComparisonMethod.allCases.compactMap { method -> String? in
            let than = told.filter { $0.method == method }.map(\.than.name)
            return than.isEmpty ? nil : "\(method.name) than \(than.joined(separator: ", "))"
        }
        return "Nearer to Retrain by more than two standard errors of the paired difference: "
            + (sentences.isEmpty ? "none than any other" : sentences.joined(separator: "; "))
            + ". Of the other \(differences.count - told.count) pairs nothing is said."
    }

    private func effort(_ summaries: [ComparisonSummary]) -> String {
        Self.table(
            [
                "method", "log-loss: core", "random", "edge", "spillover", "accuracy", "trained tokens",
                "scored tokens", "parameters",
            ],
            summaries.map {
                [
                    $0.label, cell($0.coreLogLoss), cell($0.randomLogLoss), cell($0.edgeLogLoss),
                    cell($0.spilloverLogLoss), cell($0.accuracy), count($0.trainedTokens), count($0.scoredTokens),
                    count($0.parameters),
                ]
            })
    }

    private var drift: String {
        let (counts, tracks) = report.driftTracks
        guard !tracks.isEmpty else { return "" }
        let table = Self.table(
            ["method"] + counts.map { "after \($0)" } + ["all requests, s", "before and between, s"],
            tracks.map { track in
                [track.label] + track.points.map { estimate($0?.distance) }
                    + [median(track.last?.requestSeconds), median(track.last?.preparationSeconds)]
            })
        return """
            ## One request after another

            Single interactions. JSD, in 10⁻³ nats, to a training from the beginning on what is left, over everything \
            forgotten or rebuilt so far; ± two standard errors, over prompts or over seeds, whichever are larger.

            \(table)\(image("drift").isEmpty ? "" : "\n\n" + image("drift"))
            """
    }

    private var failures: String { ComparisonText(report).failures }

    private var descriptions: String {
        guard !report.descriptions.isEmpty else { return "" }
        return "## How each number is to be read\n\n"
            + report.descriptions.map { "- **\($0.name)**: \($0.text)." }.joined(separator: "\n")
    }

    // MARK: cells

    private static func table(_ header: [String], _ rows: [[String]]) -> String {
        ([header, header.map { _ in "---" }] + rows).map { "| " + $0.joined(separator: " | ") + " |" }
            .joined(separator: "\n")
    }

    private func cell(_ statistic: Statistic?, _ places: Int = 3, scale: Double = 1) -> String {
        guard let statistic else { return "" }
        let mean = decimal(statistic.mean * scale, places)
        return statistic.count > 1 ? "\(mean) ± \(decimal(statistic.deviation * scale, places))" : mean
    }

    /// In 10⁻³ nats.
    private func estimate(_ distance: DistanceEstimate?) -> String {
        guard let distance else { return "" }
        let error = distance.standardError.map { " ± \(decimal(2000 * $0, 2))" }
        return decimal(1000 * distance.mean, 2) + (error ?? "")
    }

    /// Three digits or all before the point; nothing for nothing.
    private func median(_ statistic: Statistic?) -> String {
        guard let value = statistic?.median, value > 0 else { return "" }
        return decimal(value, value < 0.1 ? 3 : value < 1 ? 2 : value < 10 ? 1 : 0)
    }

    private func count(_ statistic: Statistic?) -> String {
        statistic.map { decimal($0.mean, 0) } ?? ""
    }
}
