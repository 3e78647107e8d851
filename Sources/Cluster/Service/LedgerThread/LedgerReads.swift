import Coordination
import Foundation
import LanguageModels
import Ledger
import Messages

/// What is answered beside the ledger's thread: short reads, that neither wait for writes and long reads nor keep any waiting.
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
                return .success(try ReplyCoding.encode(AdaptersReply(model: model, try reader.adapters())))
            case .configuration(var reply):
                reply.prompts = try reader.promptConfiguration()
                return .success(try ReplyCoding.encode(reply))
            case .audit(let audit): return .success(try ReplyCoding.encode(try self.audit(audit)))
            case .requests(let wanted):
                return .success(try ReplyCoding.encode(RequestsReply(requests: try reader.requests(wanted))))
            case .forget(let report):
                let id = report.id
                guard let evidence = try reader.evidence(ofForget: id) else { throw LedgerError.unknownRequest(id: id) }
                return .success(
                    try ReplyCoding.encode(OperationReply(report: report, result: try ForgetReply(evidence))))
            case .earlierOperation(let id): return .success(try earlierOperation(id))
            case .comparison(let report, let found):
                return .success(try ReplyCoding.encode(OperationReply(report: report, result: found.report)))
            case .comparedCases(let report, let cases):
                return .success(try ReplyCoding.encode(OperationReply(report: report, result: cases)))
            case .evaluation(let report, let json):
                let result = try ReplyCoding.decode(EvaluateReply.self, from: Data(json))
                return .success(try ReplyCoding.encode(OperationReply(report: report, result: result)))
            }
        } catch {
            return .failure(ClientError(of: error))
        }
    }

    /// Finished forget requests are known for ever, also to a coordinator that was started since.
    private func earlierOperation(_ id: String) throws -> Data {
        guard let evidence = try reader.evidence(ofForget: id) else { throw ClientError.unknownOperation(id) }
        let isFinished = evidence.record.state == .finished
        let report = OperationReport(
            id: id, kind: "forget", state: isFinished ? .done : .running,
            progress: isFinished ? "done" : "about to go on", fraction: isFinished ? 1 : 0)
        return try ReplyCoding.encode(
            OperationReply(report: report, result: isFinished ? try ForgetReply(evidence) : nil))
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

/// Requests that need nothing but rows of the database, and what is only long to write down.
enum ReadRequest: Sendable {
    case adapters
    case audit(ClientRequest.AuditRequest)
    /// What never changes while the coordinator runs; how prompts are made is added.
    case configuration(ConfigurationReply)
    case requests(ClientRequest.RequestsRequest)
    /// The certificate of a forget request that is done.
    case forget(OperationReport)
    /// An operation that this coordinator does not know (any more).
    case earlierOperation(String)
    case comparison(OperationReport, FoundCases)
    case comparedCases(OperationReport, ComparedCases)
    /// The service's report, a JSON object.
    case evaluation(OperationReport, [UInt8])

    /// Whether a forget that is committed meanwhile may take away what it tells. Certificates and the log say what happened: they
    /// stay true.
    var showsPresent: Bool { if case .adapters = self { true } else { false } }
}

extension AdaptersReply {
    init(model: ModelConfiguration, _ adapters: [AdapterRecord]) throws {
        self.init(model: model, adapters: try adapters.map(AdaptersReply.Adapter.init))
    }
}

extension AdaptersReply.Adapter {
    init(_ record: AdapterRecord) throws {
        self.init(
            shard: record.shard, training: record.report, created: record.created.formatted(.iso8601),
            specificationDigest: try Ledger.digest(of: record.report.specification))
    }
}

extension ForgetReply {
    /// The request as clients see it.
    init(_ evidence: ForgetEvidence) throws {
        self.init(
            outcome: evidence.record.outcome, certificate: evidence.record.certificate,
            unconfirmed: evidence.unconfirmed, retrained: try evidence.adapters.map(AdaptersReply.Adapter.init),
            supplements: evidence.supplements)
    }
}
