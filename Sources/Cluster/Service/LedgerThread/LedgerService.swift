import Coordination
import Crypto
import Foundation
import LanguageModels
import Ledger
import Messages
import Recommendation
import Serving
import Unlearning

/// The ledger and what is derived from it, on the ledger's own thread.
final class LedgerService {
    let ledger: Ledger
    let model: ModelConfiguration
    /// The attention over the present adapters, and what it was made from.
    private var attention: (prepared: PreparedAttention, subject: AttentionSubject)?
    /// Of the files of the adapters that may answer, and after how many transactions they were.
    private var keys: (adapters: [String: SymmetricKey], commits: Int)?
    /// Called when something was written that the coordinator's logic was not told of.
    var whenDataChanges: (() -> Void)?
    /// Has something done after what waits already.
    var later: (@Sendable (LedgerWork) -> Void)?
    /// Who waits for an import.
    var importWaiters: [String: [ImportWaiter]] = [:]
    /// Imports whose next portion waits already.
    var importsFollowed: Set<String> = []
    /// Told what status shows of the ledger, whenever that changed.
    var whenFactsChange: ((LedgerFacts) -> Void)?
    /// Of the ledger when they were told last.
    private var factsTold = -1
    /// Fingerprint of the coordinator's own arithmetic, which every worker must have; nil until it is computed.
    var arithmetic: String?
    var journal = AccessJournal()
    var unwritten: [AccessEntry] = []

    /// What verifications that ended found of the adapters' files, by operation.
    private(set) var verifiedFiles: [String: [DamagedAdapter]] = [:]
    /// What they found of the audit log.
    private var verdicts: [String: AuditVerdict] = [:]

    init(ledger: Ledger, model: ModelConfiguration) {
        self.ledger = ledger
        self.model = model
    }

    var layout: AdapterLayout {
        AdapterLayout(model: model, configuration: ledger.configuration.training.lora)
    }

    /// The shards that a forget request touched.
    func forgetShards(request: String) throws -> [Int] {
        guard let record = try ledger.forgetRequest(request) else { throw LedgerError.unknownRequest(id: request) }
        return record.outcome.shards
    }

    func remember(_ damaged: [DamagedAdapter], of operation: String) {
        if verifiedFiles.count >= CoordinatorLimits.endedOperations { verifiedFiles = [:] }
        verifiedFiles[operation] = damaged
    }

    /// The log is read from its first entry, once for each operation, however often its client asks.
    func auditVerdict(of operation: String) throws -> AuditVerdict {
        if let known = verdicts[operation] { return known }
        if verdicts.count >= CoordinatorLimits.endedOperations { verdicts = [:] }
        let verdict = try ledger.auditVerdict()
        verdicts[operation] = verdict
        return verdict
    }

    /// The adapters that were found damaged since the last call.
    func takeDamaged() -> [String] {
        defer { ledger.foundDamaged = [] }
        return ledger.foundDamaged.sorted()
    }

    /// The adapters that may answer, with attention at other parameters than those in force.
    func preparedAttention(_ parameters: SampleAdaptiveAttention.Parameters?) throws -> PreparedAttention {
        guard let parameters else { return try preparedAttention() }
        return try PreparedAttention(
            table: ledger.attentionTable(), parameters: parameters, adapters: ledger.adapters())
    }

    /// The adapters that may answer, with the attention that weighs them.
    func preparedAttention() throws -> PreparedAttention {
        let parameters = try ledger.tuning()?.parameters
        let subject = AttentionSubject(try ledger.snapshot(), parameters)
        if let attention, attention.subject == subject { return attention.prepared }
        // Equal weights look at nothing.
        let table = subject.looksAtRows ? try ledger.attentionTable() : .empty
        let made = try PreparedAttention(table: table, parameters: parameters, adapters: ledger.adapters())
        attention = (made, subject)
        return made
    }

    /// Keys of the files of the adapters that may answer, by content name.
    func adapterKeys() throws -> [String: SymmetricKey] {
        if let keys, keys.commits == ledger.commits { return keys.adapters }
        let found = try ledger.adapterKeys()
        keys = (found, ledger.commits)
        return found
    }

    /// What status shows; told before whoever changed it is answered.
    func publishFacts() {
        guard let whenFactsChange, factsTold != ledger.commits, let facts = try? facts() else { return }
        factsTold = ledger.commits
        whenFactsChange(facts)
    }

    private func facts() throws -> LedgerFacts {
        LedgerFacts(
            statistics: try ledger.statistics(),
            attention: try ledger.tuning()?.parameters ?? PreparedAttention.equalWeights)
    }

    /// The error's code for clients and for the coordinator's logic, and its text for people.
    static func clientError(_ error: any Error) -> ClientError {
        switch error {
        case let error as ClientError: return error
        case let error as LedgerError: return ClientError(error)
        case let error as RecommendationError:
            return ClientError(code: .invalidRequest, message: error.description)
        case let error as LanguageModelError:
            return ClientError(code: .invalidRequest, message: "\(error)")
        default: return ClientError(code: .failed, message: "\(error)")
        }
    }
}

extension ClientError {
    /// What a ledger's refusal means for whoever asked.
    init(_ error: LedgerError) {
        switch error {
        case .unknownData(let users, let interactions):
            var parts: [String] = []
            if !users.isEmpty { parts.append("no user \(users.joined(separator: ", "))") }
            if !interactions.isEmpty {
                let names = interactions.map { target in
                    [target.user, target.item, target.timestamp.map(String.init)].compactMap(\.self).joined(
                        separator: ":")
                }
                parts.append("no interaction \(names.joined(separator: ", "))")
            }
            self.init(
                code: users.isEmpty ? .unknownInteraction : .unknownUser,
                message: parts.joined(separator: "; ") + "; nothing was forgotten")
        case .unknownUser(let user): self.init(code: .unknownUser, message: "no user \(user)")
        case .unknownRequest(let id): self.init(code: .unknownRequest, message: "no forget request \(id)")
        case .adapterDamaged, .adapterLost: self.init(code: .adapterDamaged, message: error.description)
        case .replaced: self.init(code: .dataDirectoryReplaced, message: error.description)
        case .unknownAdapter(let name): self.init(code: .stale, message: "no adapter \(name)")
        case .staleAdapter, .correctionSuperseded, .embeddingsMissing, .requestUnfinished:
            self.init(code: .stale, message: error.description)
        case .invalidAdapter, .notFinite, .embeddingWidth:
            self.init(code: .invalid, message: error.description)
        case .requestConflict(let id):
            self.init(code: .invalidRequest, message: "the request id \(id) was used before for another request")
        case .invalidRequest(let reason), .invalidRow(let reason), .invalidConfiguration(let reason):
            self.init(code: .invalidRequest, message: reason)
        case .tooManyPrompts: self.init(code: .tooLarge, message: error.description)
        case .promptsDiffer: self.init(code: .promptsDiffer, message: error.description)
        case .conflictingTitles: self.init(code: .invalidRequest, message: error.description)
        case .unknownImport(let id):
            self.init(code: .invalidRequest, message: "no import \(id) is under way; send its rows again")
        case .importIncomplete(_, let expected, let missing):
            self.init(
                code: .invalidRequest,
                message: "\(missing.count) of the import's \(expected) batches are missing; send them again")
        case .nothingToPartition:
            self.init(code: .noData, message: "there are no training prompts yet; import data first")
        case .diskFull(let path):
            self.init(code: .diskFull, message: "the disk that holds \(path) is full; nothing was changed")
        case .corrupt(let path, let reason):
            self.init(code: .corrupt, message: "\(path) is damaged: \(reason)")
        default: self.init(code: .failed, message: "\(error)")
        }
    }
}
