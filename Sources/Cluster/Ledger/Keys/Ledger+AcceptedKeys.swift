import Foundation
import GRDB
import Messages

/// That an operator accepted other keys, which the audit log is still to say.
struct AcceptedKeys: Codable {
    /// What the folder of before is called now; nil: there was none.
    var putAside: String?
    /// The time of the audit log's last entry of before; nil: there was none.
    var lastEntry: String?
}

extension Ledger {
    /// Whether another folder has taken the place of one that is lost, at this start or at one that was killed: somebody accepted
    /// that, and nobody has a key in this one.
    func keysWereReplaced() throws -> Bool {
        guard try read({ try Meta.acceptedKeys.value(AcceptedKeys.self, $0) }) != nil else { return false }
        let people = try read { db in
            try Row.fetchAll(db, sql: "SELECT slot, key FROM people").compactMap { KeyReference(readable: $0) }
        }
        return try people.isEmpty || keys.missing(of: Set(people)) == people.count
    }

    /// An entry for other keys that were accepted. Killed before that, the next start writes it.
    ///
    /// - Parameter areReplaced: false: it came to nothing, and the keys of before are there.
    func auditAcceptedKeys(_ areReplaced: Bool, at time: Date) throws {
        guard let accepted = try read({ try Meta.acceptedKeys.value(AcceptedKeys.self, $0) }) else { return }
        try commit { db in
            if areReplaced { try audit(db, "new keys", accepted, at: time) }
            try Meta.acceptedKeys.remove(db)
        }
        if areReplaced { acceptedKeys = accepted }
    }

    /// What whoever looks after the cluster has to know of its keys, at every start.
    package var keyWarnings: [String] {
        var warnings = warningsOfKeysPutAside
        if let accepted = acceptedKeys {
            let since = accepted.lastEntry ?? "the cluster's first start"
            warnings.append(
                "there are new keys, and everybody's data has to be imported again. This database knows nothing of what was "
                    + "forgotten since \(since), the last entry of its audit log: forget people again before anything is "
                    + "imported, and single interactions right after")
        }
        return warnings
    }
}
