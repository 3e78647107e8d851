import Coordination
import Ledger
import Messages
import ZeroMQ

/// What the ledger's thread is given to do, in order.
enum LedgerWork: Sendable {
    case call(@Sendable (LedgerService) -> Void)
    /// May be one transaction with the writes before and after it.
    case write(LedgerWrite)
}

/// A write, or only the entry of the audit log for a request, and who wants to know what came of it.
struct LedgerWrite: Sendable {
    /// nil: only the entry.
    var command: LedgerCommand?
    /// Who asked: written with the command if that succeeds.
    var access: Access?
    /// Called once it is durable, or failed. An entry alone is always `nil`.
    var done: @Sendable (LedgerService, LedgerOutcome?) -> Void

    /// Whether a client waits for it.
    var acknowledges: Bool { command?.clientRequest != nil }
}

extension LedgerCommand {
    /// Whether it is short, and nothing but rows of the database and keys.
    var isShort: Bool {
        switch self {
        case .forget, .finishForget, .requestTraining, .saveEmbeddings, .saveMargins, .settleCopies, .forgetCopy,
            .abandonCorrection, .noteWorkers, .setDuty:
            true
        case .partition, .publish, .tuneAttention, .purge, .dropDamaged, .withdrawStage, .quarantine: false
        }
    }

    /// The client's request that it is made for; nil: it follows from nobody's.
    var clientRequest: String? {
        switch self {
        case .forget(let request, _), .requestTraining(let request): request
        case .forgetCopy(let word, _), .setDuty(let word, _): word.request
        default: nil
        }
    }

    /// The forget request that it closes: its traces in files have to go first.
    var finishedRequest: String? {
        if case .finishForget(let request, _) = self { request } else { nil }
    }
}

extension SerialThread where State == LedgerService, Work == LedgerWork {
    func run(_ body: @escaping @Sendable (LedgerService) -> Void) { post(.call(body)) }
}
