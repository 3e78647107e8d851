import Unlearning

/// What the ledger has of a stage.
public struct RecordedStage: Hashable, Sendable {
    public var report: StageReport
    /// The worker that told the digest; nil: nobody did, or it is not on record.
    public var worker: String?

    public init(report: StageReport, worker: String? = nil) {
        self.report = report
        self.worker = worker
    }
}
