import Foundation
import GRDB

extension Ledger {
    /// Ids of workers by public keys (Z85) that are bound to the first worker that used them.
    package func workerKeys() throws -> [String: String] {
        try read { db in try Meta.workerKeys.value([String: String].self, db) ?? [:] }
    }

    private struct Binding: Encodable {
        var by: String
        var worker: String
    }

    /// Keeps them all, of which these came to it.
    ///
    /// - `names`: of keys, with the workers that they are bound to from now on.
    package func record(workerKeys: [String: String], new names: [(name: String, worker: String)], at time: Date) throws
    {
        try commit { db in
            try Meta.workerKeys.set(workerKeys, db)
            for (name, worker) in names {
                try audit(db, "worker key", Binding(by: name, worker: worker), at: time)
            }
        }
    }
}
