import Coordination
import Foundation
import Ledger
import Messages

/// New prompts are dealt to shards in steps; whatever waits for the ledger goes in between. What has to be computed is
/// computed on a thread of its own.
extension LedgerService {
    /// Begins again in vain, after forget requests that came in between, so often; then nothing comes in between any more.
    private static let attempts = 4

    /// - Parameter write: is told once every prompt has a shard.
    func partition(_ write: LedgerWrite) {
        follow(result { try ledger.beginPartition() }, for: write, attempt: 1)
    }

    private func follow(_ step: Result<PartitionStep, ClientError>, for write: LedgerWrite, attempt: Int) {
        switch step {
        case .failure(let error):
            publishFacts()
            write.done(self, .failed(error))
        case .success(.done):
            publishFacts()
            write.done(self, committed())
        case .success(.dealing(let undealt)):
            guard attempt < Self.attempts, let later else {
                let outcome = perform(.partition, at: Date())
                publishFacts()
                return write.done(self, outcome)
            }
            let thread = Thread {
                let dealt = Result<PartitionStep, any Error> { .placing(try undealt.dealt()) }
                    .mapError { ClientError(of: $0) }
                later(.call { $0.follow(dealt, for: write, attempt: attempt) })
            }
            thread.name = "partition"
            thread.stackSize = 8 << 20
            thread.start()
        case .success(let step):
            guard let later else { return write.done(self, perform(.partition, at: Date())) }
            later(
                .call { service in
                    let next = service.result { try service.ledger.continuePartition(step, at: Date()) }
                    let isInVain = (try? next.get())?.beginsAgain(after: step) ?? false
                    service.follow(next, for: write, attempt: attempt + (isInVain ? 1 : 0))
                })
        }
    }
}
