import Foundation
import Messages

/// How far the log's signed head has come, in the database and in its file.
struct AuditSealing {
    /// Entries after which the head is written to its file whatever they are.
    static let interval = 64
    /// Entries after which it is written before anybody is told.
    static let evidence: Set<String> = ["forget", "finish", "publish", "copies", "dispute", "withdraw"]

    /// Of the transaction that is under way.
    struct Staged {
        /// After its last entry.
        var head: AuditHead
        var entries = 0
        var isEvidence = false
        /// With the text that is stored of it; nil: to be signed at the end of the transaction.
        var signed: (statement: SignedStatement, text: Data)?
    }

    var staged: Staged?
    /// Committed: by this process, not by whoever else writes to the file.
    private(set) var last: SignedStatement?
    /// What `last` says, and as it is stored.
    private(set) var lastHead: (head: AuditHead, text: Data)?
    /// Committed, and not in the file yet.
    private(set) var unwritten: SignedStatement?
    private(set) var isDue = false
    private var entries = 0

    /// - Parameter entry: nil: the head is signed anew without one.
    mutating func stage(_ head: AuditHead, entry: AuditEntry?) {
        var next = staged ?? Staged(head: head)
        next.head = head
        if let entry {
            next.entries += 1
            next.isEvidence = next.isEvidence || Self.evidence.contains(entry.kind)
        }
        staged = next
    }

    mutating func committed() {
        guard let staged, let signed = staged.signed else { return }
        (last, lastHead, unwritten) = (signed.statement, (staged.head, signed.text), signed.statement)
        entries += staged.entries
        isDue = isDue || staged.isEvidence || entries >= Self.interval
        self.staged = nil
    }

    mutating func written() {
        unwritten = nil
        isDue = false
        entries = 0
    }
}
