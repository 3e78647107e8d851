import Cluster
import Foundation

extension CoordinatorClient {
    /// Follows an operation to its end, showing its progress, and returns the body of its last report.
    ///
    /// - Throws: the operation's own error when it failed.
    func wait(forOperation id: String) throws -> Data {
        var progress = ProgressLine()
        defer { progress.end() }
        while true {
            let reply = try call(.operation(id: id))
            let report = try ReplyCoding.decode(AcceptedReply.self, from: reply.body).report
            switch report.state {
            case .running:
                let percent = Int((report.fraction * 100).rounded(.down))
                progress.show("\(report.kind) \(percent) %: \(report.progress)")
                Thread.sleep(forTimeInterval: 0.2)
            case .done: return reply.body
            case .failed: throw report.error ?? ClientError(code: "failed", message: "\(report.kind) failed")
            }
        }
    }
}
