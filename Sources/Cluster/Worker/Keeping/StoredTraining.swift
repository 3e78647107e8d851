import Messages
import Unlearning

/// `adapter.json`: what a worker keeps beside the tensors of an adapter that it trained.
struct StoredTraining: Codable, Equatable {
    /// Fingerprint of the arithmetic that trained it.
    var arithmetic: String
    var report: TrainingReport
    /// SHA-256 of the file with the tensors.
    var file: String

    init(arithmetic: String, report: TrainingReport, file: String) {
        self.arithmetic = arithmetic
        self.report = report
        self.file = file
    }

    /// - Parameter prompts: that lie beside it; the report of an earlier release does not say how many it was trained on.
    init?(json: [UInt8], prompts: Int) {
        if let training = try? WireJSON.decode(StoredTraining.self, from: json, kind: "adapter.json") {
            self = training
        } else if let older = try? WireJSON.decode(Older.self, from: json, kind: "adapter.json") {
            self.init(
                arithmetic: older.arithmetic,
                report: older.report.report(specification: older.specification, prompts: prompts), file: older.file)
        } else {
            return nil
        }
    }

    /// As it was kept when a report did not carry the specification.
    private struct Older: Decodable {
        struct Report: Decodable {
            var manifest: String
            var adapter: String
            var steps: Int
            var tokens: Int
            var seconds: Double
            var computeSeconds: Double
            var epochLosses: [Double]
            var approximation: CorrectionReport?

            func report(specification: TrainingSpecification, prompts: Int) -> TrainingReport {
                TrainingReport(
                    adapter: adapter, manifest: manifest, prompts: prompts, specification: specification, steps: steps,
                    tokens: tokens, seconds: seconds, computeSeconds: computeSeconds, epochLosses: epochLosses,
                    correction: approximation)
            }
        }

        var specification: TrainingSpecification
        var arithmetic: String
        var report: Report
        var file: String
    }
}
