import GRDB

/// The ledger's tables. Migrations are named and never edited once released.
///
/// Prompts are not stored: they are a pure function of people's records, and every copy less is one less to forget.
enum LedgerSchema {
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("data and lineage", migrate: dataAndLineage)
        migrator.registerMigration("adapters and attention", migrate: adaptersAndAttention)
        migrator.registerMigration("forgetting and evidence", migrate: forgettingAndEvidence)
        migrator.registerMigration("approximate corrections", migrate: approximateCorrections)
        migrator.registerMigration("copies and double checks", migrate: copiesAndDoubleChecks)
        migrator.registerMigration("tombstones without times", migrate: TombstoneMigration.dropRedundantAndTimes)
        migrator.registerMigration("damaged adapters", migrate: damagedAdapters)
        migrator.registerMigration("counted likes", migrate: countedLikes)
        migrator.registerMigration("training reports", migrate: trainingReports)
        migrator.registerMigration("keys of people and shards", migrate: keysOfPeopleAndShards)
        migrator.registerMigration(lastOlderMigration, migrate: sealedAdapters)
        migrator.registerMigration(sealedRecordsMigration, migrate: sealedRecords)
        migrator.registerMigration("imports in portions", migrate: importsInPortions)
        migrator.registerMigration("counted embeddings", migrate: countedEmbeddings)
        migrator.registerMigration("reference prompts", migrate: referencePrompts)
        migrator.registerMigration("packed evidence", migrate: packedEvidence)
        migrator.registerMigration("summaries of people", migrate: summariesOfPeople)
        migrator.registerMigration("fields of items", migrate: fieldsOfItems)
        migrator.registerMigration("slices on record", migrate: slicesOnRecord)
        migrator.registerMigration("fleet", migrate: fleet)
        migrator.registerMigration("stages on record", migrate: stagesOnRecord)
        migrator.registerMigration("sealed sums", migrate: sealedSums)
        migrator.registerMigration("keys of batches", migrate: keysOfBatches)
        migrator.registerMigration("parts of centres", migrate: partsOfCentres)
        return migrator
    }

    /// Brings a file up to date where it lies, but for people's records of an older one.
    static func migrate(_ queue: DatabaseQueue) throws {
        if try queue.read({ try $0.tableExists("meta") }) && isOlder(queue) {
            try migrator.migrate(queue, upTo: lastOlderMigration)
        } else {
            try migrator.migrate(queue)
        }
    }

    /// Whether people's records are still to be taken over (`RecordMigration`).
    static func isOlder(_ queue: DatabaseQueue) throws -> Bool {
        try queue.read { try !migrator.appliedIdentifiers($0).contains(sealedRecordsMigration) }
    }

    private static func dataAndLineage(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

                CREATE TABLE items (id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, title TEXT);

                -- ordinal: of the first appearance. shard: under the partition by user.
                CREATE TABLE users (
                    id INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE, ordinal INTEGER NOT NULL, shard INTEGER
                );
                CREATE INDEX users_by_ordinal ON users (ordinal);

                -- split: recorded at import, where the protocol fixes it for the target.
                CREATE TABLE interactions (
                    id INTEGER PRIMARY KEY,
                    user INTEGER NOT NULL REFERENCES users (id),
                    item INTEGER NOT NULL REFERENCES items (id),
                    timestamp INTEGER NOT NULL,
                    rating REAL NOT NULL,
                    ordinal INTEGER NOT NULL,
                    split TEXT,
                    UNIQUE (user, item, timestamp)
                );
                CREATE INDEX interactions_by_item ON interactions (item);
                CREATE INDEX interactions_by_split ON interactions (split) WHERE split IS NOT NULL;

                -- name: Prompt.id. digest: TrainingPrompt.digest. needs_embedding: wanted and not there yet.
                -- That target and history refer to interactions without cascade is what keeps the lineage complete:
                -- SQLite refuses to delete an interaction that a prompt was made from.
                CREATE TABLE prompts (
                    id INTEGER PRIMARY KEY,
                    name TEXT NOT NULL UNIQUE,
                    digest TEXT NOT NULL UNIQUE,
                    user INTEGER NOT NULL REFERENCES users (id),
                    target INTEGER NOT NULL UNIQUE REFERENCES interactions (id),
                    split TEXT NOT NULL,
                    label INTEGER NOT NULL,
                    shard INTEGER,
                    needs_embedding INTEGER NOT NULL
                );
                CREATE INDEX prompts_by_user ON prompts (user);
                CREATE INDEX prompts_by_shard ON prompts (split, shard, name, digest);
                CREATE INDEX prompts_needing_embedding ON prompts (split, name) WHERE needs_embedding = 1;

                CREATE TABLE prompt_history (
                    prompt INTEGER NOT NULL REFERENCES prompts (id) ON DELETE CASCADE,
                    position INTEGER NOT NULL,
                    interaction INTEGER NOT NULL REFERENCES interactions (id),
                    PRIMARY KEY (prompt, position)
                ) WITHOUT ROWID;
                CREATE INDEX history_by_interaction ON prompt_history (interaction);

                CREATE TABLE splits (split TEXT PRIMARY KEY, prompts INTEGER NOT NULL, digest TEXT NOT NULL);

                CREATE TABLE staged_batches (
                    import TEXT NOT NULL, sequence INTEGER NOT NULL, time INTEGER NOT NULL, refused INTEGER NOT NULL,
                    PRIMARY KEY (import, sequence)
                ) WITHOUT ROWID;
                CREATE TABLE staged_items (
                    import TEXT NOT NULL, sequence INTEGER NOT NULL, position INTEGER NOT NULL,
                    token TEXT NOT NULL, title TEXT NOT NULL,
                    PRIMARY KEY (import, sequence, position)
                ) WITHOUT ROWID;
                CREATE TABLE staged_rows (
                    import TEXT NOT NULL, sequence INTEGER NOT NULL, position INTEGER NOT NULL,
                    user TEXT NOT NULL, item TEXT NOT NULL, timestamp INTEGER NOT NULL, rating REAL NOT NULL,
                    ordinal INTEGER NOT NULL,
                    PRIMARY KEY (import, sequence, position)
                ) WITHOUT ROWID;
                -- Items that refused rows name: they enter the catalogue only if somebody else's row names them too.
                CREATE TABLE staged_refused_items (
                    import TEXT NOT NULL, token TEXT NOT NULL, PRIMARY KEY (import, token)
                ) WITHOUT ROWID;
                """)
    }

    private static func adaptersAndAttention(_ db: Database) throws {
        try db.execute(
            sql: """
                -- The last columns are of the last training, also when its adapter is gone.
                CREATE TABLE shards (
                    shard INTEGER PRIMARY KEY,
                    manifest TEXT NOT NULL,
                    prompts INTEGER NOT NULL,
                    quarantined INTEGER,
                    trained_prompts INTEGER NOT NULL DEFAULT 0,
                    trained_tokens INTEGER NOT NULL DEFAULT 0,
                    trained_seconds REAL NOT NULL DEFAULT 0
                );

                CREATE TABLE partition (
                    id INTEGER PRIMARY KEY CHECK (id = 1), dimension INTEGER NOT NULL, centres BLOB NOT NULL,
                    time INTEGER NOT NULL
                );

                CREATE TABLE embeddings (
                    prompt INTEGER PRIMARY KEY REFERENCES prompts (id) ON DELETE CASCADE, vector BLOB NOT NULL
                );

                CREATE TABLE adapters (
                    shard INTEGER PRIMARY KEY REFERENCES shards (shard),
                    name TEXT NOT NULL,
                    manifest TEXT NOT NULL,
                    prompts INTEGER NOT NULL,
                    specification TEXT NOT NULL,
                    method TEXT NOT NULL,
                    created INTEGER NOT NULL,
                    report TEXT NOT NULL
                );

                -- Interactions that the shard's adapter saw in prompts that were rebuilt or removed by an import since.
                CREATE TABLE seen (
                    shard INTEGER NOT NULL REFERENCES adapters (shard) ON DELETE CASCADE,
                    interaction INTEGER NOT NULL REFERENCES interactions (id) ON DELETE CASCADE,
                    PRIMARY KEY (shard, interaction)
                ) WITHOUT ROWID;
                CREATE INDEX seen_by_interaction ON seen (interaction);

                CREATE TABLE margins (
                    shard INTEGER NOT NULL REFERENCES adapters (shard) ON DELETE CASCADE,
                    prompt INTEGER NOT NULL REFERENCES prompts (id) ON DELETE CASCADE,
                    margin REAL NOT NULL,
                    PRIMARY KEY (shard, prompt)
                ) WITHOUT ROWID;
                CREATE INDEX margins_by_prompt ON margins (prompt);

                CREATE TABLE tuning (
                    id INTEGER PRIMARY KEY CHECK (id = 1), tau REAL NOT NULL, neighbours INTEGER NOT NULL,
                    rule TEXT NOT NULL, embedding TEXT NOT NULL, basis TEXT NOT NULL, time INTEGER NOT NULL
                );
                """)
    }

    private static func forgettingAndEvidence(_ db: Database) throws {
        try db.execute(
            sql: """
                -- HMAC-SHA256 of a forgotten user, user and item, or interaction.
                CREATE TABLE tombstones (
                    hmac BLOB PRIMARY KEY, kind TEXT NOT NULL, time INTEGER NOT NULL
                ) WITHOUT ROWID;

                CREATE TABLE forget_requests (
                    number INTEGER PRIMARY KEY,
                    id TEXT NOT NULL UNIQUE,
                    fingerprint BLOB NOT NULL,
                    method TEXT NOT NULL,
                    received INTEGER NOT NULL,
                    finished INTEGER,
                    outcome TEXT NOT NULL,
                    audit TEXT NOT NULL,
                    certificate TEXT
                );
                CREATE INDEX forget_requests_pending ON forget_requests (number) WHERE finished IS NULL;
                CREATE TABLE forget_shards (
                    request INTEGER NOT NULL REFERENCES forget_requests (number),
                    shard INTEGER NOT NULL,
                    old_adapter TEXT,
                    old_manifest TEXT NOT NULL,
                    new_adapter TEXT,
                    new_manifest TEXT,
                    waiting INTEGER NOT NULL,
                    PRIMARY KEY (request, shard)
                ) WITHOUT ROWID;
                CREATE INDEX forget_shards_waiting ON forget_shards (shard) WHERE waiting = 1;

                CREATE TABLE replies (
                    number INTEGER PRIMARY KEY, request TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,
                    anybody INTEGER NOT NULL, body BLOB NOT NULL
                );
                CREATE INDEX replies_by_size ON replies (size);
                CREATE INDEX replies_of_anybody ON replies (number) WHERE anybody = 1;
                CREATE TABLE reply_users (
                    reply INTEGER NOT NULL REFERENCES replies (number) ON DELETE CASCADE, user TEXT NOT NULL,
                    PRIMARY KEY (reply, user)
                ) WITHOUT ROWID;
                CREATE INDEX reply_users_by_user ON reply_users (user);

                CREATE TABLE audit (
                    sequence INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL,
                    previous TEXT NOT NULL, hash TEXT NOT NULL
                );
                CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
                BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
                CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
                BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
                """)
    }
}
