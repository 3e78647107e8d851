import ArgumentParser
import Client
import Experiments
import Files
import Foundation
import Messages
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

    @Option(help: "Seeds, from 1 to 32, the cluster's own first. [default: 3]")
    var seeds: Int?

    @Option(
        help: ArgumentHelp(
            "Of " + ComparisonMethod.allCases.map(\.rawValue).joined(separator: ",")
                + ". Original and retrain always take part. [default: all]", valueName: "a,b,…"))
    var methods: String?

    @Option(
        help: ArgumentHelp(
            "Also write the tables (comparison.md) and figures (SVG) into this folder.", valueName: "dir"))
    var figures: String?

    @Option(
        help: ArgumentHelp(
            "Keep every finished case in this folder and take up those that are there: of the same data, base model, "
                + "settings and seed. Stopped with Ctrl-C it prints what there is.", valueName: "dir"))
    var resume: String?

    @Option(help: ArgumentHelp("Show what --json printed before, instead of comparing.", valueName: "file"))
    var report: String?

    @Option(
        help: ArgumentHelp(
            "Keep at most so many prompts of each split: of the training each chosen user's latest; from 8 to 1048576. [default: all]"
        ))
    var limit: Int?

    @Option(help: "Requests in sequence, one interaction each, up to 256; 0: none. [default: 8]")
    var sequence: Int?

    @Option(name: .customLong("epochs"), help: "Epochs of every training, from 1 to 100. [default: the cluster's]")
    var epochs: Int?

    var isAsked: Bool {
        quick || report != nil || !forget.isEmpty || seeds != nil || methods != nil || figures != nil || limit != nil
            || sequence != nil || epochs != nil || resume != nil
    }

    /// Flags over the defaults, or over those of `--quick`.
    func options() throws -> ComparisonOptions {
        var options = quick ? .quick : ComparisonOptions()
        if !forget.isEmpty {
            options.forget = try forget.map { text in
                guard let kind = ForgetKind(text) else {
                    throw ValidationError(
                        "\(text) is no kind of forgetting: users:P%, core:P%, edge:P% and noise:P% with P above 0 and up to "
                            + "50, user:N and interaction:N with N from 1 to 64")
                }
                return kind
            }
        }
        if let methods {
            guard !methods.isEmpty else { throw ValidationError("--methods names none") }
            options.methods = try methods.split(separator: ",", omittingEmptySubsequences: false).map { name in
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
        /// What can be told of distances to Retrain; `paired` has what both are made of.
        var intervals: [DistanceInterval]
        var differences: [DistanceDifference]
        var paired: [PairedDistances]?
        /// The same on deleted and on rebuilt prompts apart.
        var partIntervals: [DistanceInterval]
        var partDifferences: [DistanceDifference]
        var parts: [PairedDistances]?
        var spillover: [SpilloverFinding]
        /// Cases that are not there (yet), and why.
        var missing: [PlannedCase]
        var incomplete: String?
        /// Those of them that were given up after several trials, each with its last reason.
        var failed: [FailedCase]
    }

    func run(_ client: ClientOptions) throws {
        try reportingFailures(json: client.json) {
            let directory = try figures.map(Self.directory)
            if let resume { return try keepOn(resume, client, directory) }
            if let report { return try show(Self.read(report), directory, client.output) }
            let compared = try Self.compare(options(), client.connect())
            try show(compared, directory, client.output)
            guard let reason = compared.incomplete else { return }
            Output.note(reason)
            throw ExitCode(ExitStatus.failed.rawValue)
        }
    }

    /// Prints what there is also when not all of it is; the exit status then is that of the reason.
    private func keepOn(_ resume: String, _ client: ClientOptions, _ directory: URL?) throws {
        var comparison = try ResumableComparison(resume, options: options())
        let stop = StopRequest()
        let outcome = try comparison.run(client.connect(), isStopped: { stop.isSet })
        var report = outcome.cases.report
        guard let reason = outcome.reason.map(CommandFailure.init) else {
            return try show(report, directory, client.output)
        }
        let missing = outcome.cases.missing
        (report.missing, report.incomplete) = (missing, reason.message)
        try show(report, directory, client.output)
        Output.note("\(reason.message); \(missing.count) of \(outcome.cases.plan.count) cases are missing")
        throw ExitCode(reason.status.rawValue)
    }

    private static func compare(
        _ options: ComparisonOptions, _ coordinator: CoordinatorClient
    ) throws -> ComparisonReport {
        let body = try coordinator.complete(.compare(options))
        guard let report = try ReplyCoding.decode(OperationReply<ComparisonReport>.self, from: body).result else {
            throw CommandFailure(.failed, "the reply holds no report")
        }
        return report
    }

    private func show(_ report: ComparisonReport, _ directory: URL?, _ output: Output) throws {
        let written = try directory.map { try Self.write(report, into: $0) } ?? []
        let printed = Printed(
            cases: report.cases, summary: report.summaries, drift: report.driftSummaries, rows: report.rows,
            sequences: report.sequences, attention: report.attention, descriptions: report.descriptions,
            figures: written, intervals: report.intervals, differences: report.differences, paired: report.paired,
            partIntervals: report.partIntervals, partDifferences: report.partDifferences, parts: report.parts,
            spillover: report.spillover, missing: report.missing ?? [], incomplete: report.incomplete,
            failed: report.failed ?? [])
        try output.emit(printed) {
            let text = ComparisonText(report).text
            return ([text] + written.map { "written: \($0)" }).joined(separator: "\n")
        }
    }

    /// A report that a comparison printed.
    private static func read(_ path: String) throws -> ComparisonReport {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let report: ComparisonReport
        do {
            report = try decoder.decode(ComparisonReport.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
        } catch is DecodingError {
            throw CommandFailure(.badInput, "\(path) is not what evaluate --compare --json prints")
        } catch {
            throw CommandFailure(.badInput, "cannot read \(path): \(FileFailure.reason(of: error))")
        }
        guard report.isFinite else { throw CommandFailure(.badInput, "\(path) has numbers that are none") }
        return report
    }

    /// Made before hours of computing, so that a wrong name shows at once.
    private static func directory(_ path: String) throws -> URL {
        let directory = URL(fileURLWithPath: path, isDirectory: true)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        return directory
    }

    private static func write(_ report: ComparisonReport, into directory: URL) throws -> [String] {
        let figures = ComparisonFigures(report).all.map { (name: $0.name + ".svg", text: $0.svg) }
        let document = ComparisonDocument(report, figures: figures.map(\.name)).markdown
        return try ([(name: "comparison.md", text: document)] + figures).map { file in
            let url = directory.appendingPathComponent(file.name)
            try Data(file.text.utf8).write(to: url, options: .atomic)
            return url.path
        }
    }
}
