import GRDB

// What releases added to the first one's tables.
extension LedgerSchema {
    static func countedLikes(_ db: Database) throws {
        try db.execute(
            sql: """
                -- likes: prompts whose label is "Yes.".
                ALTER TABLE shards ADD COLUMN likes INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE splits ADD COLUMN likes INTEGER NOT NULL DEFAULT 0;
                UPDATE shards SET likes = (
                    SELECT COUNT(*) FROM prompts
                    WHERE prompts.split = 'train' AND prompts.shard = shards.shard AND label = 1
                );
                UPDATE splits SET likes = (
                    SELECT COUNT(*) FROM prompts WHERE prompts.split = splits.split AND label = 1
                );
                """)
    }

    static func approximateCorrections(_ db: Database) throws {
        try db.execute(
            sql: """
                -- Shards whose adapter is to be corrected. The adapter is not in `adapters`, but its file is kept.
                CREATE TABLE corrections (
                    shard INTEGER PRIMARY KEY REFERENCES shards (shard),
                    method TEXT NOT NULL,
                    original TEXT NOT NULL,
                    provenance TEXT NOT NULL,
                    time INTEGER NOT NULL
                );
                -- What the original was trained on. prompt: the text as trained, of those that changed since, and nowhere
                -- else any more; NULL: still as it was.
                CREATE TABLE correction_prompts (
                    shard INTEGER NOT NULL REFERENCES corrections (shard) ON DELETE CASCADE,
                    name TEXT NOT NULL,
                    digest TEXT NOT NULL,
                    prompt BLOB,
                    forgotten REAL NOT NULL DEFAULT 0,
                    PRIMARY KEY (shard, name)
                ) WITHOUT ROWID;
                -- Retained interactions that those prompts were made from: becomes `seen` of the corrected adapter.
                CREATE TABLE correction_seen (
                    shard INTEGER NOT NULL REFERENCES corrections (shard) ON DELETE CASCADE,
                    interaction INTEGER NOT NULL REFERENCES interactions (id) ON DELETE CASCADE,
                    PRIMARY KEY (shard, interaction)
                ) WITHOUT ROWID;
                CREATE INDEX correction_seen_by_interaction ON correction_seen (interaction);

                ALTER TABLE forget_requests ADD COLUMN bridge TEXT;
                -- exact: only a trained adapter ends the waiting. approximation: of the new adapter, as JSON; NULL: exact.
                ALTER TABLE forget_shards ADD COLUMN exact INTEGER NOT NULL DEFAULT 1;
                ALTER TABLE forget_shards ADD COLUMN approximation TEXT;
                ALTER TABLE forget_shards ADD COLUMN fallback TEXT;
                """)
    }

    static func copiesAndDoubleChecks(_ db: Database) throws {
        try db.execute(
            sql: """
                -- What a worker's disk may hold of a shard: written before it is handed out, deleted when the worker says
                -- that it is gone. name: host and process, for people.
                CREATE TABLE copies (
                    worker TEXT NOT NULL, shard INTEGER NOT NULL, manifest TEXT NOT NULL, name TEXT NOT NULL,
                    time INTEGER NOT NULL,
                    PRIMARY KEY (worker, shard, manifest)
                ) WITHOUT ROWID;
                -- Copies that may hold what a request forgot, as of its commit.
                -- state: open, reported or cleared (by a worker), destroyed (an operator's word). time: of the last change.
                CREATE TABLE forget_copies (
                    request INTEGER NOT NULL REFERENCES forget_requests (number),
                    worker TEXT NOT NULL, shard INTEGER NOT NULL, manifest TEXT NOT NULL, name TEXT NOT NULL,
                    state TEXT NOT NULL DEFAULT 'open', time INTEGER NOT NULL,
                    PRIMARY KEY (request, worker, shard, manifest)
                ) WITHOUT ROWID;
                CREATE INDEX forget_copies_by_copy ON forget_copies (worker, shard, manifest);
                -- Signed additions to certificates, as JWS.
                CREATE TABLE supplements (
                    number INTEGER PRIMARY KEY, request INTEGER NOT NULL REFERENCES forget_requests (number),
                    statement TEXT NOT NULL
                );
                CREATE INDEX supplements_by_request ON supplements (request);

                -- Adapters that forget requests took away, with the manifest that they were trained from.
                CREATE TABLE dropped_adapters (
                    name TEXT NOT NULL, manifest TEXT NOT NULL, PRIMARY KEY (name, manifest)
                ) WITHOUT ROWID;
                INSERT OR IGNORE INTO dropped_adapters (name, manifest)
                    SELECT old_adapter, old_manifest FROM forget_shards WHERE old_adapter IS NOT NULL;
                -- The worker that trained or corrected it; NULL: not on record.
                ALTER TABLE adapters ADD COLUMN trainer TEXT;

                -- Of a ledger that was there before: seconds since 1970.
                INSERT INTO meta (key, value)
                    SELECT 'copies since', CAST(strftime('%s', 'now') AS TEXT) WHERE EXISTS (SELECT 1 FROM meta);
                """)
    }

    static func damagedAdapters(_ db: Database) throws {
        try db.execute(
            sql: """
                -- Shards whose adapter was taken away because its file did not hold what its name says. manifest: that it was
                -- trained from; empty where it was to be corrected.
                CREATE TABLE damaged_adapters (
                    shard INTEGER PRIMARY KEY REFERENCES shards (shard), adapter TEXT NOT NULL, lost INTEGER NOT NULL,
                    approximate INTEGER NOT NULL, manifest TEXT NOT NULL, time INTEGER NOT NULL
                );
                """)
    }

    /// One report of a training, whole: it names adapter, manifest and prompts itself.
    static func trainingReports(_ db: Database) throws {
        try db.execute(
            sql: """
                UPDATE adapters SET report = json_remove(
                    json_set(report, '$.adapter', name, '$.manifest', manifest, '$.prompts', prompts), '$.method');
                -- Report of the new adapter, as JSON; NULL: it was published before this was recorded, or there is none.
                ALTER TABLE forget_shards ADD COLUMN training TEXT;
                """)
    }

    static func keysOfPeopleAndShards(_ db: Database) throws {
        try db.execute(
            sql: """
                -- slot, key: where in the key folder the key lies that workers' copies are sealed under, and which one it
                -- is; NULL: there is none yet.
                ALTER TABLE users ADD COLUMN slot INTEGER;
                ALTER TABLE users ADD COLUMN key INTEGER;
                ALTER TABLE shards ADD COLUMN slot INTEGER;
                ALTER TABLE shards ADD COLUMN key INTEGER;
                -- sealed: under such keys. Copies that were handed out before lie in clear.
                ALTER TABLE copies ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;
                ALTER TABLE forget_copies ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;
                """)
    }

    static func sealedAdapters(_ db: Database) throws {
        try db.execute(
            sql: """
                -- slot, key: of the adapter's file; NULL: it is in clear, as a release before left it.
                ALTER TABLE adapters ADD COLUMN slot INTEGER;
                ALTER TABLE adapters ADD COLUMN key INTEGER;
                ALTER TABLE corrections ADD COLUMN slot INTEGER;
                ALTER TABLE corrections ADD COLUMN key INTEGER;
                """)
    }

    /// taking: `ImportTaking`, as JSON; NULL: not begun.
    static func importsInPortions(_ db: Database) throws {
        try db.execute(sql: "ALTER TABLE imports ADD COLUMN taking BLOB")
    }

    /// How many embeddings are wanting is asked after every commit: it is counted by difference.
    static func countedEmbeddings(_ db: Database) throws {
        try db.execute(
            sql: """
                ALTER TABLE totals ADD COLUMN wanting INTEGER NOT NULL DEFAULT 0;
                UPDATE totals SET wanting = (SELECT TOTAL(wanting) FROM people);
                CREATE TRIGGER people_come AFTER INSERT ON people WHEN new.wanting <> 0
                BEGIN UPDATE totals SET wanting = wanting + new.wanting; END;
                CREATE TRIGGER people_change AFTER UPDATE OF wanting ON people WHEN new.wanting <> old.wanting
                BEGIN UPDATE totals SET wanting = wanting + new.wanting - old.wanting; END;
                CREATE TRIGGER people_go AFTER DELETE ON people WHEN old.wanting <> 0
                BEGIN UPDATE totals SET wanting = wanting - old.wanting; END;
                """)
    }

    static func referencePrompts(_ db: Database) throws {
        try db.execute(
            sql: """
                -- reference: prompts that adapters are compared on (`ReferenceSample`).
                ALTER TABLE people ADD COLUMN reference INTEGER NOT NULL DEFAULT 0;
                UPDATE people SET reference = validation WHERE validation > 0;
                CREATE INDEX people_with_reference ON people (id) WHERE reference > 0;
                -- most: NULL: there is no limit, as before there was one. summary: ManifestDigest of the prompts.
                CREATE TABLE reference_prompts (
                    id INTEGER PRIMARY KEY CHECK (id = 1), most INTEGER, level INTEGER NOT NULL,
                    prompts INTEGER NOT NULL, summary BLOB NOT NULL
                );
                INSERT INTO reference_prompts (id, most, level, prompts, summary)
                    SELECT 1, NULL, 0, prompts, summary FROM splits WHERE split = 'validation';
                -- What the log says of itself is asked for at every start.
                CREATE INDEX audit_findings ON audit (sequence)
                    WHERE kind IN ('audit finding', 'audit finding accepted');
                """)
    }

    /// What of a person's prompts is in counts and digests. Rows of before have none until they are written again; their
    /// prompts are made instead.
    static func summariesOfPeople(_ db: Database) throws {
        try db.execute(
            sql: """
                -- summary: PersonSummary, sealed under the person's key.
                ALTER TABLE people ADD COLUMN summary BLOB;
                """)
    }

    static func fieldsOfItems(_ db: Database) throws {
        try db.execute(
            sql: """
                -- fields: what prompts may show beside the title, a JSON object of texts; NULL: nothing is said of the item.
                ALTER TABLE items ADD COLUMN fields TEXT;
                """)
    }

    static func slicesOnRecord(_ db: Database) throws {
        try db.execute(
            sql: """
                -- meanwhile: the stages that answered while the request waited for the shard, as JSON; NULL: none.
                ALTER TABLE forget_shards ADD COLUMN meanwhile TEXT;
                -- Whom an import under way deals to the last slice. lookup: PersonLookup.
                CREATE TABLE import_leavers (
                    import TEXT NOT NULL REFERENCES imports (import) ON DELETE CASCADE, lookup BLOB NOT NULL,
                    PRIMARY KEY (import, lookup)
                ) WITHOUT ROWID;
                """)
    }

    static func fleet(_ db: Database) throws {
        try db.execute(
            sql: """
                -- The cluster's workers. record: WorkerRecord, as JSON. away: milliseconds since 1970; NULL: it was here.
                CREATE TABLE fleet (worker TEXT PRIMARY KEY, record TEXT NOT NULL, away INTEGER) WITHOUT ROWID;
                """)
    }

    static func stagesOnRecord(_ db: Database) throws {
        try db.execute(
            sql: """
                -- What the shard's training had come to after each slice with prompts (`StageReport`), as it was reported with the
                -- adapter. digest, bytes: NULL: nobody has told them. worker: that told the digest.
                CREATE TABLE stages (
                    shard INTEGER NOT NULL REFERENCES shards (shard), slice INTEGER NOT NULL, name TEXT NOT NULL,
                    digest TEXT, bytes INTEGER, worker TEXT,
                    PRIMARY KEY (shard, slice)
                ) WITHOUT ROWID;
                """)
    }

    static func keysOfBatches(_ db: Database) throws {
        try db.execute(
            sql: """
                -- slot, key: of the batch; NULL: it is under its import's, as a release before left it. file: how often it was
                -- written anew, without the rows of people who were forgotten meanwhile.
                ALTER TABLE staged_batches ADD COLUMN slot INTEGER;
                ALTER TABLE staged_batches ADD COLUMN key INTEGER;
                ALTER TABLE staged_batches ADD COLUMN file INTEGER NOT NULL DEFAULT 0;
                """)
    }

    /// What a request leaves is stored packed, and hashes as bytes (`ClosedRequest`, `StoredHash`). Rows of before stay as they
    /// are: blobs are packed, texts are not.
    static func packedEvidence(_ db: Database) throws {
        try db.execute(
            sql: """
                -- For whoever reads this file without Lethe: what `PackedText` begins with.
                CREATE TABLE packing_dictionaries (number INTEGER PRIMARY KEY, text TEXT NOT NULL);
                -- Certificates of before version 3 are looked for among these at every start.
                CREATE INDEX forget_requests_unpacked ON forget_requests (number) WHERE typeof(certificate) = 'text';
                """)
        let first = PackingDictionary.first
        try db.execute(
            sql: "INSERT INTO packing_dictionaries (number, text) VALUES (?, ?)",
            arguments: [first.number, first.text])
    }
}
