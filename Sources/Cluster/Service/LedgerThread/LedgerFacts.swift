import Messages
import Unlearning

/// What status shows of the ledger, as of its last commit: so that status waits for nothing that the ledger does.
struct LedgerFacts: Sendable {
    var statistics: LedgerStatistics
    var attention: SampleAdaptiveAttention.Parameters
    /// `StatusReply.keysPutAside`
    var keysPutAside: [String]
}
