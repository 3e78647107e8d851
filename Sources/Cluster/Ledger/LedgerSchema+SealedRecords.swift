import GRDB

// One person, one sealed record. Runs on a new file only: `RecordMigration` takes the people of an older one over.
extension LedgerSchema {
    static let sealedRecordsMigration = "sealed records"
    /// The last migration that an older file is brought to where it lies.
    static let lastOlderMigration = "sealed adapters"

    /// Tables that are the same before and after.
    static let unchangedTables = [
        "partition", "tombstones", "forget_requests", "forget_shards", "audit", "copies", "forget_copies",
        "supplements",
        "dropped_adapters", "damaged_adapters",
    ]

    static func sealedRecords(_ db: Database) throws {
        for table in [
            "correction_seen", "correction_prompts", "margins", "seen", "embeddings", "prompt_history", "prompts",
            "interactions", "users", "splits", "staged_batches", "staged_items", "staged_rows", "staged_refused_items",
            "reply_users", "replies",
        ] { try db.execute(sql: "DROP TABLE \(table)") }
        try people(db)
        try db.execute(
            sql: """
                -- summary: ManifestDigest of the prompts, from which `digest` and `manifest` follow.
                CREATE TABLE splits (
                    split TEXT PRIMARY KEY, prompts INTEGER NOT NULL, likes INTEGER NOT NULL, digest TEXT NOT NULL,
                    summary BLOB NOT NULL
                );
                ALTER TABLE shards ADD COLUMN summary BLOB NOT NULL DEFAULT x'';
                -- epoch: what people's records say of adapters that saw them counts while it is this one.
                ALTER TABLE shards ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
                -- serial: of all adapters that there ever were. margins: rows of reference prompts that are there.
                ALTER TABLE adapters ADD COLUMN serial INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE adapters ADD COLUMN margins INTEGER NOT NULL DEFAULT 0;

                -- What forget requests changed since the original was trained, in their order: sealed under a key that is
                -- the correction's own (changes_slot, changes_key).
                ALTER TABLE corrections ADD COLUMN changes_slot INTEGER;
                ALTER TABLE corrections ADD COLUMN changes_key INTEGER;
                CREATE TABLE correction_changes (
                    number INTEGER PRIMARY KEY,
                    shard INTEGER NOT NULL REFERENCES corrections (shard) ON DELETE CASCADE,
                    body BLOB NOT NULL
                );
                CREATE INDEX correction_changes_by_shard ON correction_changes (shard);

                -- Imports in progress; their rows lie sealed in files (`StagedImports`).
                CREATE TABLE imports (import TEXT PRIMARY KEY, slot INTEGER NOT NULL, key INTEGER NOT NULL);
                CREATE TABLE staged_batches (
                    import TEXT NOT NULL REFERENCES imports (import) ON DELETE CASCADE, sequence INTEGER NOT NULL,
                    time INTEGER NOT NULL, refused INTEGER NOT NULL,
                    PRIMARY KEY (import, sequence)
                ) WITHOUT ROWID;

                -- Of requests; they hold nobody's data.
                CREATE TABLE replies (
                    number INTEGER PRIMARY KEY, request TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, body BLOB NOT NULL
                );
                CREATE INDEX replies_by_size ON replies (size);
                """)
    }

    private static func people(_ db: Database) throws {
        try db.execute(
            sql: """
                -- lookup: PersonLookup. record: Person, sealed under the person's key (slot, key).
                -- shard: of all training prompts, under a partition that deals people out by their content.
                -- validation, undealt: prompts of that split, and training prompts without a shard.
                -- wanting: prompts whose embedding is needed and not there.
                CREATE TABLE people (
                    id INTEGER PRIMARY KEY, lookup BLOB NOT NULL, slot INTEGER NOT NULL, key INTEGER NOT NULL,
                    shard INTEGER, validation INTEGER NOT NULL, undealt INTEGER NOT NULL, wanting INTEGER NOT NULL,
                    record BLOB NOT NULL
                );
                CREATE INDEX people_by_lookup ON people (lookup);
                CREATE INDEX people_with_validation ON people (id) WHERE validation > 0;
                CREATE INDEX people_undealt ON people (id) WHERE undealt > 0;
                CREATE INDEX people_wanting ON people (id) WHERE wanting > 0;

                -- Who has training prompts in which shard.
                CREATE TABLE members (
                    shard INTEGER NOT NULL, person INTEGER NOT NULL, prompts INTEGER NOT NULL,
                    PRIMARY KEY (shard, person)
                ) WITHOUT ROWID;

                -- Sealed under keys that come from the person's.
                CREATE TABLE embeddings (
                    person INTEGER PRIMARY KEY REFERENCES people (id) ON DELETE CASCADE, vectors BLOB NOT NULL
                );
                -- adapter: adapters.serial; rows of adapters that are gone go in the background.
                CREATE TABLE margins (
                    person INTEGER NOT NULL REFERENCES people (id) ON DELETE CASCADE, adapter INTEGER NOT NULL,
                    prompts INTEGER NOT NULL, margins BLOB NOT NULL,
                    PRIMARY KEY (person, adapter)
                ) WITHOUT ROWID;

                -- People whose record is damaged or whose key is lost: what is left to forget of them. shards: as JSON.
                CREATE TABLE damaged_people (
                    lookup BLOB NOT NULL, shards TEXT NOT NULL, time INTEGER NOT NULL
                );

                CREATE TABLE totals (
                    id INTEGER PRIMARY KEY CHECK (id = 1), people INTEGER NOT NULL, interactions INTEGER NOT NULL,
                    imports INTEGER NOT NULL
                );
                INSERT INTO totals (id, people, interactions, imports) VALUES (1, 0, 0, 0);
                """)
    }
}
