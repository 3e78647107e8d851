import Foundation
import GRDB
import Messages
import Recommendation
import Unlearning

/// Which of a shard's prompts its adapter learned from, where trainings hold some out.
///
/// Held-out prompts only decide which epoch is kept: without some of them training may come to the very same bytes. So an
/// adapter that a request took away is told by the prompts that it learned from, which are in its weights.
extension Ledger {
    private struct Learned: Codable {
        /// Content name.
        var adapter: String
        /// Digest of these prompts.
        var manifest: String
    }

    private static func key(ofLearned shard: Int) -> String { "learned \(shard)" }

    /// Notes of what an adapter learned that training on the shard's present prompts gave. Everybody in the shard is read for it
    /// here, so that nobody has to be when a request comes.
    func noteLearned(shard: Int, adapter: String, _ db: Database) throws {
        guard configuration.training.heldOut > 0 else { return }
        let learned = Learned(adapter: adapter, manifest: try learnedManifest(shard: shard, db))
        try db.execute(
            sql: "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
            arguments: [Self.key(ofLearned: shard), try JSONEncoder.stable.encode(learned)])
    }

    /// Notes that a request takes an adapter away, with what it is told by: the digest of what it learned, or of all prompts if
    /// nothing is held out or that is not on record.
    ///
    /// - Parameters:
    ///   - manifest: of all prompts that it was trained from.
    func noteDropped(_ adapter: String, shard: Int, manifest: String, _ db: Database) throws {
        var told = manifest
        if configuration.training.heldOut > 0,
            let row = try Row.fetchOne(
                db, sql: "SELECT value FROM meta WHERE key = ?", arguments: [Self.key(ofLearned: shard)])
        {
            let learned: Learned = try row.json("value", in: "meta")
            if learned.adapter == adapter { told = learned.manifest }
        }
        try db.execute(
            sql: "INSERT OR IGNORE INTO dropped_adapters (name, manifest) VALUES (?, ?)", arguments: [adapter, told])
    }

    /// Whether a request took this adapter away, and what it learned from is not what the shard's trainings learn from now.
    ///
    /// - Parameters:
    ///   - manifest: of the shard's present prompts, or of a stage's.
    func wasDropped(_ adapter: String, shard: Int, manifest: String, _ db: Database) throws -> Bool {
        let others = try String.fetchAll(
            db, sql: "SELECT manifest FROM dropped_adapters WHERE name = ? AND manifest <> ?",
            arguments: [adapter, manifest])
        guard !others.isEmpty, configuration.training.heldOut > 0 else { return !others.isEmpty }
        let learned = try learnedManifest(shard: shard, db)
        return others.contains { $0 != learned }
    }

    /// Of the prompts that a training of the shard learns from now.
    private func learnedManifest(shard: Int, _ db: Database) throws -> String {
        var (learned, held, count) = (ManifestDigest(), ManifestDigest(), 0)
        try forEachPrompt(of: .shard(shard), db) { _, prompt in
            let entry = ManifestDigest.Entry(id: prompt.prompt.id, digest: prompt.digest)
            if configuration.training.holdsOut(prompt.prompt.id) {
                held.add(entry)
            } else {
                learned.add(entry)
                count += 1
            }
        }
        // Where nothing would be left to train on, nothing is held out.
        return (count > 0 ? learned : held).hexadecimal
    }
}
