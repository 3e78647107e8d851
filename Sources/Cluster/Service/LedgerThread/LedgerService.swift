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
    /// The rows that it rests on as they travel, once a gateway needs them.
    private var attentionRows: (payloads: [[UInt8]], digest: String)?
    var withheld = WithheldStages()
    /// Of the files of the adapters that may answer, and after how many transactions they were.
    private var keys: (adapters: [String: SymmetricKey], commits: Int)?
    /// Called when something was written that the coordinator's logic was not told of.
    var whenDataChanges: (() -> Void)?
    /// Has something done after what waits already.
    var later: (@Sendable (LedgerWork) -> Void)?
    var closings = Closings<LedgerWrite>()
    /// Who waits for an import.
    var importWaiters: [String: [ImportWaiter]] = [:]
    /// Imports that follow once those under way are taken in, in the order in which they came.
    var importsWaiting: [(request: ClientRequest.FinishImport, requestID: String)] = []
    /// Imports whose next portion waits already.
    var importsFollowed: Set<String> = []
    /// Told what status shows of the ledger, whenever that changed.
    var whenFactsChange: ((LedgerFacts) -> Void)?
    /// Of the ledger when they were told last.
    private var factsTold = -1
    /// Fingerprint of the coordinator's own arithmetic, which every worker must have; nil until it is computed.
    var arithmetic: String?
    /// Whether the base model can answer in the words of prompts; throws where it cannot.
    var checksWords: ((PromptFrame) throws -> Void)?
    var journal = AccessJournal()
    var unwritten: [AccessEntry] = []

    /// What verifications that ended found of the adapters' files, by operation.
    private(set) var verifiedFiles: [String: [DamagedAdapter]] = [:]
    /// What they found of the audit log, and what is being read of it.
    var verdicts: [String: AuditVerdict] = [:]
    var readings: [String: VerdictReading] = [:]
    /// What reads everybody, by number: the next portion of it, which returns whether it was the last.
    var portions: [Int: (LedgerService) -> Bool] = [:]
    var nextReading = 0
    var lineageWaiters: [LineageWaiter] = []
    var comparisonWaiters: [ComparisonWaiter] = []

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

    /// The adapters that were found damaged since the last call.
    func takeDamaged() -> [String] {
        defer { ledger.foundDamaged = [] }
        return ledger.foundDamaged.sorted()
    }

    /// The adapters that may answer, with attention at other parameters than those in force.
    func preparedAttention(_ parameters: SampleAdaptiveAttention.Parameters?) throws -> PreparedAttention {
        guard let parameters else { return try preparedAttention() }
        return try PreparedAttention(
            table: ledger.attentionTable(), parameters: parameters, adapters: withheld.without(ledger.adapters()))
    }

    /// The adapters that may answer, with the attention that weighs them.
    func preparedAttention() throws -> PreparedAttention {
        let parameters = try ledger.tuning()?.parameters
        let subject = AttentionSubject(try ledger.snapshot(), parameters, without: withheld)
        if let attention, attention.subject == subject { return attention.prepared }
        // Equal weights look at nothing.
        let table = subject.looksAtRows ? try ledger.attentionTable() : .empty
        let made = try PreparedAttention(
            table: table, parameters: parameters, adapters: withheld.without(ledger.adapters()))
        (attention, attentionRows) = ((made, subject), nil)
        return made
    }

    /// The rows that the present attention rests on, and what names them.
    func attentionPayloads() throws -> (payloads: [[UInt8]], digest: String) {
        _ = try preparedAttention()
        if let attentionRows { return attentionRows }
        let payloads = try AttentionTableBytes.payloads(ledger.attentionTable())
        let rows = (payloads, AttentionTableBytes.digest(payloads))
        attentionRows = rows
        return rows
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
            attention: try ledger.tuning()?.parameters ?? PreparedAttention.equalWeights,
            keysPutAside: ledger.keysPutAside)
    }
}
