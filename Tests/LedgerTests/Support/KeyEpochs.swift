import ClusterTestSupport
import Crypto
import Foundation
import Ledger

/// A file of keys as the release before would have laid it out: everything but the slots in the first page.
func inFormerLayout(_ bytes: Data, keepsEpochs: Bool = true) -> Data {
    var page = Data(bytes[..<4096])
    page[8] = 1
    page.replaceSubrange(224..<256, with: Data(SHA256.hash(data: page[..<224])))
    var places = [(4096, 512, 16), (8192, 1024, 16)]
    if keepsEpochs { places += [(12_288, 1536, 24), (16_384, 2048, 24)] }
    for (place, former, size) in places {
        page.replaceSubrange(former..<former + size, with: bytes[place..<place + size])
    }
    return page + bytes[20_480...]
}

extension LedgerFixture {
    /// Of a closed ledger.
    func leaveKeysInFormerLayout(keepsEpochs: Bool = true) throws {
        let slots = directory.appendingPathComponent("keys/slots")
        try inFormerLayout(Data(contentsOf: slots), keepsEpochs: keepsEpochs).write(to: slots)
    }

    /// Of a closed ledger: leaves folder and database as the release before epochs would have left them.
    func removeKeyEpochs() throws {
        try leaveKeysInFormerLayout(keepsEpochs: false)
        try Ledger.tamper("DELETE FROM meta WHERE key = 'key epoch'", at: database)
    }
}
