import Foundation
import GRDB
import Recommendation

// What manifests are the hashes of, and what newcomers are dealt to: sealed.
extension LedgerSchema {
    static func partsOfCentres(_ db: Database) throws {
        try db.execute(
            sql: """
                -- Of whom nothing was forgotten among the people whose embeddings a partition's centre was made of. Of centres that
                -- a release before recorded there are no rows.
                CREATE TABLE centre_parts (
                    person INTEGER NOT NULL, centre INTEGER NOT NULL, PRIMARY KEY (person, centre)
                ) WITHOUT ROWID;
                CREATE INDEX centre_parts_by_centre ON centre_parts (centre);
                """)
    }

    /// Keys are not to be had here: what lay in clear is sealed by the start that migrates (`sealOlderSums`, `sealOlderCentres`).
    static func sealedSums(_ db: Database) throws {
        try db.execute(
            sql: """
                -- sum: ManifestDigest of the prompts of a shard, a split or the reference prompts, where there are any; sealed
                -- under a key that goes when something is taken out (slot, key; NULL: it is in clear, as a release before
                -- left it).
                CREATE TABLE sums (place TEXT PRIMARY KEY, slot INTEGER, key INTEGER, sum BLOB NOT NULL);
                INSERT INTO sums (place, sum) SELECT 'shard ' || shard, summary FROM shards WHERE prompts > 0;
                INSERT INTO sums (place, sum) SELECT 'split ' || split, summary FROM splits WHERE prompts > 0;
                INSERT INTO sums (place, sum) SELECT 'references', summary FROM reference_prompts WHERE prompts > 0;
                -- digest: SHA-256 of the prompts' ManifestDigest.
                ALTER TABLE reference_prompts ADD COLUMN digest TEXT NOT NULL DEFAULT '';
                -- slot, key: of the centres; NULL: they are in clear, as a release before left them.
                ALTER TABLE partition ADD COLUMN slot INTEGER;
                ALTER TABLE partition ADD COLUMN key INTEGER;
                """)
        // One that is none is counted anew.
        let sum = try Data.fetchOne(db, sql: "SELECT summary FROM reference_prompts")
        try db.execute(
            sql: "UPDATE reference_prompts SET digest = ?",
            arguments: [(sum.flatMap { ManifestDigest(bytes: $0) } ?? ManifestDigest()).hexadecimal])
        for table in ["shards", "splits", "reference_prompts"] {
            // SQLite leaves copies of rows that it moves between pages: all pages go, overwritten, before any is written.
            try db.execute(
                sql: """
                    ALTER TABLE \(table) DROP COLUMN summary;
                    CREATE TABLE moved AS SELECT * FROM \(table);
                    DELETE FROM \(table);
                    INSERT INTO \(table) SELECT * FROM moved;
                    DROP TABLE moved;
                    """)
        }
    }
}
