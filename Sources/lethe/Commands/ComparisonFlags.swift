import ArgumentParser
import Cluster
import Foundation
import Unlearning

/// The options that turn `evaluate --compare` into a comparison of unlearning methods.
struct ComparisonFlags: ParsableArguments {
    @Flag(help: "One seed, a tenth of the users and one user, few prompts, one epoch: to see that everything works.")
    var quick = false

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "What to forget: users:P% (also core:P%, edge:P%: the most and the least active), user[:N] and "
                + "interaction[:N] (N single ones), noise:P% (training labels that were flipped before the training).",
            valueName: "kind"))
    var forget: [String] = []

    @Option(help: "Seeds, the cluster's own first. [default: 3]")
    var seeds: Int?

    @Option(
        help: ArgumentHelp(
            "Of " + ComparisonMethod.allCases.map(\.rawValue).joined(separator: ",")
                + ". Original and retrain always take part. [default: all]", valueName: "a,b,…"))
    var methods: String?

    @Option(help: ArgumentHelp("Also write figures (SVG) into this folder.", valueName: "dir"))
    var figures: String?

    @Option(
        help: ArgumentHelp(
            "Keep at most so many prompts of each split: of the training each chosen user's latest. [default: all]"))
    var limit: Int?

    @Option(help: "Requests in sequence, one interaction each; 0: none. [default: 8]")
    var sequence: Int?

    @Option(name: .customLong("epochs"), help: "Epochs of every training. [default: the cluster's]")
    var epochs: Int?

    var isAsked: Bool {
        quick || !forget.isEmpty || seeds != nil || methods != nil || figures != nil || limit != nil
            || sequence != nil || epochs != nil
    }

    /// Flags over the defaults, or over those of `--quick`.
    func options() throws -> ComparisonOptions {
        var options = quick ? .quick : ComparisonOptions()
        if !forget.isEmpty {
            options.forget = try forget.map { text in
                guard let kind = ForgetKind(text) else { throw ValidationError("\(text) is no kind of forgetting") }
                return kind
            }
        }
        if let methods {
            options.methods = try methods.split(separator: ",").map { name in
                guard let method = ComparisonMethod(rawValue: String(name)) else {
                    throw ValidationError("\(name) is no method")
                }
                return method
            }
        }
        if let seeds { options.seeds = seeds }
        if let limit { options.limit = limit }
        if let sequence { options.sequence = sequence }
        if let epochs { options.epochs = epochs }
        do {
            try options.check()
        } catch UnlearningError.invalidSpecification(let reason) {
            throw ValidationError(reason)
        }
        return options
    }

    private struct Printed: Encodable {
        var cases: [ComparisonReport.CaseSummary]
        var summary: [ComparisonSummary]
        var drift: [DriftSummary]
        var rows: [ComparisonRow]
        var sequences: [DriftPoint]
        var attention: [AttentionWeights]
        var descriptions: [ComparisonDescription]
        var figures: [String]
    }

    func run(_ client: ClientOptions) throws {
        let options = try options()
        try client.withClient { coordinator in
            let directory = try figures.map(Self.directory)
            let body = try coordinator.complete(.compare(options))
            guard let report = try ReplyCoding.decode(OperationReply<ComparisonReport>.self, from: body).result else {
                throw CommandFailure(.failed, "the reply holds no report")
            }
            let drawn = try directory.map { try Self.write(ComparisonFigures(report).all, into: $0) } ?? []
            let printed = Printed(
                cases: report.cases, summary: report.summaries, drift: report.driftSummaries, rows: report.rows,
                sequences: report.sequences, attention: report.attention, descriptions: report.descriptions,
                figures: drawn)
            try client.output.emit(printed) {
                ([ComparisonText(report).text] + drawn.map { "figure: \($0)" }).joined(separator: "\n")
            }
        }
    }

    /// Made before hours of computing, so that a wrong name shows at once.
    private static func directory(_ path: String) throws -> URL {
        let directory = URL(fileURLWithPath: path, isDirectory: true)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        return directory
    }

    private static func write(_ figures: [ComparisonFigures.Figure], into directory: URL) throws -> [String] {
        try figures.map { figure in
            let file = directory.appendingPathComponent(figure.name + ".svg")
            try Data(figure.svg.utf8).write(to: file, options: .atomic)
            return file.path
        }
    }
}
