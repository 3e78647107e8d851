import Foundation
import LanguageModels
import Ledger
import Messages

/// What is answered beside the ledger's thread.
final class LedgerReads {
    private let reader: LedgerReader
    private let model: ModelConfiguration

    init(_ source: LedgerReader.Source, model: ModelConfiguration) throws {
        reader = try LedgerReader(source)
        self.model = model
    }

    /// nil: the files are those that were opened.
    var displaced: LedgerError? { reader.displaced }

    func answer(_ request: ReadRequest) -> Result<Data, ClientError> {
        do {
            switch request {
            case .adapters:
                return .success(
                    try ReplyCoding.encode(
                        AdaptersReply(model: model, adapters: try reader.adapters().map(AdaptersReply.Adapter.init))))
            case .audit(let audit): return .success(try ReplyCoding.encode(try self.audit(audit)))
            }
        } catch {
            return .failure(LedgerService.clientError(error))
        }
    }

    private func audit(_ request: ClientRequest.AuditRequest) throws -> AuditReply {
        let entries = try reader.auditLog(after: request.after, limit: ClientRequest.AuditRequest.largest)
        return AuditReply(
            entries: entries.map { entry in
                AuditReply.Entry(
                    sequence: entry.sequence, time: entry.time.iso8601, kind: entry.kind, detail: entry.detail,
                    previous: entry.previous, hash: entry.hash)
            })
    }
}

/// Requests that need nothing but rows of the database.
enum ReadRequest: Sendable {
    case adapters
    case audit(ClientRequest.AuditRequest)
}

extension AdaptersReply.Adapter {
    init(_ record: AdapterRecord) throws {
        self.init(
            shard: record.shard, training: record.report, created: record.created.formatted(.iso8601),
            specificationDigest: try Ledger.digest(of: record.report.specification))
    }
}
