import Foundation
import Ledger
import Messages
import Testing

extension Ledger {
    /// Writes the rows of requests and of the audit log as the releases did that packed nothing.
    func unpackRows() throws {
        func quoted(_ text: String) -> String { "'\(text.replacingOccurrences(of: "'", with: "''"))'" }
        try tamper("DROP TRIGGER audit_is_never_changed")
        for entry in try auditLog() {
            try tamper(
                """
                UPDATE audit SET detail = \(quoted(entry.detail)), previous = '\(entry.previous)', hash = '\(entry.hash)'
                WHERE sequence = \(entry.sequence)
                """)
        }
        try tamper("UPDATE forget_requests SET audit = lower(hex(audit))")
        for record in try forgetRequests() {
            let id = quoted(record.outcome.request)
            try tamper(
                """
                UPDATE forget_requests SET outcome = \(quoted(try JSONEncoder.stable.text(record.outcome))) WHERE id = \(id)
                """)
            guard let certificate = record.certificate else { continue }
            try tamper(
                """
                UPDATE forget_requests SET certificate = \(quoted(try JSONEncoder.stable.text(certificate))) WHERE id = \(id)
                """)
            for shard in certificate.statement.shards {
                try tamper(
                    """
                    UPDATE forget_shards SET new_adapter = '\(shard.newAdapter ?? "")', old_manifest = '\(shard.oldManifest)'
                    WHERE shard = \(shard.index) AND request = (SELECT number FROM forget_requests WHERE id = \(id))
                    """)
            }
        }
        #expect(try inspect("SELECT DISTINCT typeof(detail) || typeof(hash) FROM audit") == ["texttext"])
        #expect(try inspect("SELECT sequence FROM audit WHERE typeof(previous) <> 'text'").isEmpty)
        #expect(try inspect("SELECT id FROM forget_requests WHERE typeof(certificate) = 'blob'").isEmpty)
    }
}
