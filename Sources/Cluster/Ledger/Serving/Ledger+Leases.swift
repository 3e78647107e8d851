import Foundation
import GRDB

extension Ledger {
    /// Whether a coordinator of this ledger ever let another process answer.
    package func hasGrantedLeases() throws -> Bool {
        try read { db in try Meta.leasesGranted.value(Bool.self, db) ?? false }
    }

    /// Before the first lease: a coordinator that comes after this one, however this one ends, waits until it has certainly run out.
    package func recordLeases() throws {
        try commit { db in try Meta.leasesGranted.set(true, db) }
    }
}
