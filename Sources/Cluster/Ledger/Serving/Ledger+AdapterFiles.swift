import Crypto
import Files
import Foundation
import GRDB
import LanguageModels
import Messages
import Recommendation

/// Every byte of an adapter that leaves the ledger was compared with the adapter's name, which is its SHA-256.
///
/// An adapter whose file is damaged or gone answers no more: it is taken away like one that saw forgotten data, and the
/// shard is given out again. A worker that kept the training answers with the very same bytes, another one trains them
/// again; only a corrected adapter, which no training gives, is replaced by an exact one.
extension Ledger {
    /// - Throws: `LedgerError.unknownAdapter`, `.adapterLost`, `.adapterDamaged`.
    package func adapterBytes(name: String) throws -> [UInt8] {
        guard let record = try adapters().first(where: { $0.name == name }) else {
            throw LedgerError.unknownAdapter(name: name)
        }
        return try verifiedBytes(name: name, shard: record.shard, key: read { try adapterKey(name, $0) })
    }

    func verifiedBytes(name: String, shard: Int, key: SymmetricKey?) throws(LedgerError) -> [UInt8] {
        do throws(AdapterFile.Failure) {
            return try AdapterFile.bytes(name: name, key: key, in: adapterDirectory.path)
        } catch {
            if case .system(let failure) = error { throw LedgerError(failure) }
            foundDamaged.insert(name)
            throw LedgerError(error, adapter: name, shard: shard)
        }
    }

    /// Reads every adapter's file and takes away those that are damaged or gone.
    @discardableResult
    package func dropDamagedAdapters(at time: Date) throws -> [DamagedAdapter] {
        let names = try read {
            try String.fetchAll($0, sql: "SELECT name FROM adapters UNION SELECT original FROM corrections")
        }
        return try names.sorted().flatMap { try dropIfDamaged(adapter: $0, at: time) }
    }

    /// Nothing happens when the file is as it should be, or the ledger does not name the adapter (any more).
    ///
    /// - Returns: the shards that lost their adapter, or the original that it was to be corrected from.
    @discardableResult
    package func dropIfDamaged(adapter name: String, at time: Date) throws -> [DamagedAdapter] {
        let holders = try adapters().filter { $0.name == name }
        let corrected = try read {
            try Int.fetchAll(
                $0, sql: "SELECT shard FROM corrections WHERE original = ? ORDER BY shard", arguments: [name])
        }
        guard !holders.isEmpty || !corrected.isEmpty else { return [] }
        let lost: Bool
        let key = try read { try adapterKey(name, $0) }
        do throws(AdapterFile.Failure) {
            _ = try AdapterFile.bytes(name: name, key: key, in: adapterDirectory.path)
            return []
        } catch {
            switch error {
            case .lost: lost = true
            case .damaged: lost = false
            case .system(let failure): throw LedgerError(failure)
            }
        }
        let damaged =
            holders.map {
                DamagedAdapter(
                    shard: $0.shard, adapter: name, lost: lost, approximate: !$0.report.isExact)
            } + corrected.map { DamagedAdapter(shard: $0, adapter: name, lost: lost, approximate: true) }
        try commit { db in
            for entry in damaged {
                if corrected.contains(entry.shard) {
                    try giveUpCorrection(shard: entry.shard, .originalDamaged, at: time, db)
                }
                try dropAdapter(shard: entry.shard, db)
                try db.execute(
                    sql: "UPDATE shards SET quarantined = COALESCE(quarantined, ?) WHERE shard = ?",
                    arguments: [time.milliseconds, entry.shard])
                try db.execute(
                    sql: """
                        INSERT OR REPLACE INTO damaged_adapters (shard, adapter, lost, approximate, manifest, time)
                        VALUES (?, ?, ?, ?, ?, ?)
                        """,
                    arguments: [
                        entry.shard, name, lost, entry.approximate,
                        holders.first { $0.shard == entry.shard }?.manifest ?? "", time.milliseconds,
                    ])
                try audit(db, "adapter damaged", entry, at: time)
            }
        }
        try? deleteUnnamedAdapterFiles()
        return damaged
    }
}
