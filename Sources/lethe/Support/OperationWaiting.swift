import Client
import Foundation
import Messages

extension CoordinatorClient {
    /// Starts an operation that changes no data and follows it to its end; returns the body of its last report.
    ///
    /// Such operations live as long as the coordinator does. One that was started again does not know them any more: the
    /// request is sent again, under its own id.
    ///
    /// - Throws: the operation's own error when it failed.
    func complete(_ request: ClientRequest) throws -> Data {
        let id = UUID().uuidString.lowercased()
        var restarts = 0
        while true {
            do {
                try call(request, id: id)
                return try wait(forOperation: id)
            } catch let error as ClientError where error.code == .unknownOperation && restarts < 8 {
                restarts += 1
                Output.note("the coordinator was started again and has forgotten the request; asking again")
            }
        }
    }

    /// Follows an operation to its end, showing its progress, and returns the body of its last report.
    ///
    /// - Throws: the operation's own error when it failed.
    func wait(forOperation id: String) throws -> Data {
        var progress = ProgressLine()
        defer { progress.end() }
        while true {
            // Long enough for a coordinator to be started again.
            let reply = try call(.operation(id: id), patience: .seconds(60))
            let report = try ReplyCoding.decode(AcceptedReply.self, from: reply.body).report
            switch report.state {
            case .running:
                progress.show("\(report.kind): \(report.progress)", fraction: report.fraction)
                Thread.sleep(forTimeInterval: 0.2)
            case .done:
                progress.show("\(report.kind): done", fraction: 1)
                return reply.body
            case .failed: throw report.error ?? ClientError(code: .failed, message: "\(report.kind) failed")
            }
        }
    }
}
