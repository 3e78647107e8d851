import ClusterTestSupport
import Foundation
import Ledger

extension LedgerFixture {
    /// Of a closed ledger: leaves folder and database as the release before epochs would have left them.
    func removeKeyEpochs() throws {
        let slots = directory.appendingPathComponent("keys/slots")
        var bytes = try Data(contentsOf: slots)
        for offset in [1536, 2048] { bytes.replaceSubrange(offset..<offset + 24, with: Data(count: 24)) }
        try bytes.write(to: slots)
        try Ledger.tamper("DELETE FROM meta WHERE key = 'key epoch'", at: database)
    }
}
