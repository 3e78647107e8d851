import Messages

/// How far the log's signed head has come, in the database and in its file.
struct AuditSealing {
    /// Entries after which the head is written to its file whatever they are.
    static let interval = 64
    /// Entries after which it is written before anybody is told.
    static let evidence: Set<String> = ["forget", "finish", "publish", "copies", "dispute"]

    /// Of the transaction that is under way.
    var staged: (head: SignedStatement, isEvidence: Bool)?
    /// Committed: by this process, not by whoever else writes to the file.
    private(set) var last: SignedStatement?
    /// Committed, and not in the file yet.
    private(set) var unwritten: SignedStatement?
    private(set) var isDue = false
    private var entries = 0

    /// What the head in the database must be now.
    var expected: SignedStatement? { staged?.head ?? last }

    mutating func stage(_ head: SignedStatement, kind: String) {
        staged = (head, isEvidence: (staged?.isEvidence ?? false) || Self.evidence.contains(kind))
    }

    mutating func committed() {
        guard let staged else { return }
        last = staged.head
        unwritten = staged.head
        entries += 1
        isDue = isDue || staged.isEvidence || entries >= Self.interval
        self.staged = nil
    }

    mutating func written() {
        unwritten = nil
        isDue = false
        entries = 0
    }
}
