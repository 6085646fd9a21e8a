-- The control tables: the fence, the offsets, the ledger, and what did not become a row.
-- Applied once per warehouse, in one transaction with its own record in loader.migrations.
-- Every table but head and migrations carries the pipeline, so that several share a warehouse.

-- The fence: every transaction that changes anything takes the next number.
CREATE TABLE lake.loader.head (seq BIGINT NOT NULL);
INSERT INTO lake.loader.head VALUES (0);

-- Which topics a pipeline was loaded from, and into which table: a row for each generation. A topic that was deleted
-- and created again begins a new one; partition and offset name a record within its generation only.
CREATE TABLE lake.loader.topics (
    pipeline VARCHAR NOT NULL,
    generation INTEGER NOT NULL,      -- 0 is the first topic; the largest one is in force
    batch BIGINT,                     -- of the ledger, from which on it is in force; NULL for the first
    target VARCHAR NOT NULL,
    cluster_id VARCHAR NOT NULL,      -- empty where the broker cannot tell
    topic VARCHAR NOT NULL,
    topic_id VARCHAR NOT NULL,        -- empty where the broker cannot tell
    partitions INTEGER NOT NULL
);

-- Where to go on: next_offset is the next record to read.
CREATE TABLE lake.loader.offsets (
    pipeline VARCHAR NOT NULL,
    generation INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    baseline BIGINT NOT NULL,         -- where the generation's first span begins
    next_offset BIGINT NOT NULL,
    leader_epoch INTEGER NOT NULL,    -- -1 where it is not known
    batch BIGINT                      -- the batch that set next_offset; NULL before the first
);

-- The ledger, one row per transaction. consumed = loaded + duplicates + quarantined + skipped.
CREATE TABLE lake.loader.batches (
    pipeline VARCHAR NOT NULL,
    batch BIGINT NOT NULL,            -- unique and time-ordered: milliseconds * 2^22 + random bits
    generation INTEGER NOT NULL,      -- of the topic that its records come from
    seq BIGINT NOT NULL,              -- the head's number that this commit got
    kind VARCHAR NOT NULL,            -- load; accept (of a loss); topic (taken over); rewind; rebuild (of derived tables); of quarantine entries: retry, edit, drop
    committed_at TIMESTAMPTZ NOT NULL,
    worker VARCHAR NOT NULL,          -- host:process of the writer
    contract VARCHAR NOT NULL,        -- digest of the contract that the batch was checked against
    consumed BIGINT NOT NULL,
    loaded BIGINT NOT NULL,
    duplicates BIGINT NOT NULL,
    quarantined BIGINT NOT NULL,
    skipped BIGINT NOT NULL,
    holes BIGINT NOT NULL,
    max_event_time TIMESTAMPTZ,       -- of the loaded rows
    file VARCHAR,                     -- the Parquet file of the loaded rows, where there is one
    note VARCHAR,                     -- why somebody dropped entries; what was rewound or rebuilt; which topic came
    looked_at BIGINT NOT NULL,        -- records that were looked at for unknown fields: a sample
    unknown_fields VARCHAR,           -- JSON: [{"field", "records", "partition", "offset"}, …]; NULL where there was none
    accepted BOOLEAN NOT NULL         -- loaded with --accept-quarantine: it does not weigh in later for limits.quarantine
);

-- The ledger, one row per partition of a load; of an accepted loss too, all of whose offsets are holes. A rewind
-- voids rows, and of one that it cuts in the middle it writes what is left, of the same batch.
-- end_offset - begin_offset = consumed + holes.
CREATE TABLE lake.loader.spans (
    pipeline VARCHAR NOT NULL,
    generation INTEGER NOT NULL,
    batch BIGINT NOT NULL,
    partition INTEGER NOT NULL,
    begin_offset BIGINT NOT NULL,
    end_offset BIGINT NOT NULL,       -- exclusive
    consumed BIGINT NOT NULL,
    loaded BIGINT NOT NULL,
    duplicates BIGINT NOT NULL,
    quarantined BIGINT NOT NULL,
    skipped BIGINT NOT NULL,
    holes BIGINT NOT NULL,            -- offsets that never reached us: transaction markers, compacted, lost
    voided_by BIGINT,                 -- the rewind that undid it; NULL while it counts
    cut_by BIGINT                     -- the rewind that left this part of the batch's span; NULL as it was written
);

-- Settled quarantine entries that a rewind removed: how many of each retry or drop.
CREATE TABLE lake.loader.undone (
    pipeline VARCHAR NOT NULL,
    batch BIGINT NOT NULL,            -- the rewind
    settled_by BIGINT NOT NULL,       -- the retry or drop
    partition INTEGER NOT NULL,
    state VARCHAR NOT NULL,           -- loaded, duplicate, skipped, dropped
    entries BIGINT NOT NULL
);

-- The shape of the table: one row for how it was made and for each change of it, with the batch that needed it.
CREATE TABLE lake.loader.contracts (
    pipeline VARCHAR NOT NULL,
    seq BIGINT NOT NULL,              -- the head's number of the change; rows of older batches are older than it
    changed_at TIMESTAMPTZ NOT NULL,
    worker VARCHAR NOT NULL,          -- host:process of the writer
    contract VARCHAR NOT NULL,        -- digest, as in batches
    shape VARCHAR NOT NULL            -- JSON: id and columns (name, type, place in the record, required, from the value)
);

-- Refused records, whole, with the reasons. Rows change state; they are never deleted.
CREATE TABLE lake.loader.quarantine (
    pipeline VARCHAR NOT NULL,
    generation INTEGER NOT NULL,
    batch BIGINT NOT NULL,
    partition INTEGER NOT NULL,
    "offset" BIGINT NOT NULL,
    kafka_time TIMESTAMPTZ,
    key BLOB,
    value BLOB,                       -- the bytes as they came; NULL is a tombstone
    headers VARCHAR,                  -- JSON: [{"key", "value": base64 or null}, …]; NULL without headers
    id VARCHAR,                       -- where it could be read
    reasons VARCHAR NOT NULL,         -- JSON: [{"column", "rule", "value", "message"}, …]; of the last try
    state VARCHAR NOT NULL,           -- open, loaded, duplicate, skipped, dropped
    edited BLOB,                      -- the value that a retry takes in place of the original
    edited_at TIMESTAMPTZ,
    changed_by BIGINT                 -- the retry or drop that last came to it; NULL since the last edit
);

-- Records whose id was there already, and where the first one stands.
CREATE TABLE lake.loader.duplicates (
    pipeline VARCHAR NOT NULL,
    generation INTEGER NOT NULL,      -- of the record; the first one's is that of first_batch
    batch BIGINT NOT NULL,
    partition INTEGER NOT NULL,
    "offset" BIGINT NOT NULL,
    id VARCHAR NOT NULL,
    first_partition INTEGER,          -- NULL where the first one was not loaded by the loader
    first_offset BIGINT,
    first_batch BIGINT,
    differs BOOLEAN NOT NULL          -- other content than the first one: only with on_conflict = "keep_first"
);

-- What ran when, and how it ended: jobs of `loader schedule`, and verbs that were typed.
CREATE TABLE lake.loader.runs (
    pipeline VARCHAR NOT NULL,
    job VARCHAR NOT NULL,             -- the verb: load
    started_by VARCHAR NOT NULL,      -- schedule or command
    worker VARCHAR NOT NULL,          -- host:process of who wrote this row
    started_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ NOT NULL,
    outcome VARCHAR NOT NULL,         -- caught_up, stopped, limit_reached, done, error, killed
    exit_code INTEGER NOT NULL,       -- negative: ended by this signal
    counts VARCHAR NOT NULL,          -- JSON: what the verb says that it has done
    error VARCHAR                     -- one line; NULL where all went well
);

-- The derived tables, and how each is made. A worker whose configuration says otherwise does not write.
CREATE TABLE lake.loader.derived (
    pipeline VARCHAR NOT NULL,
    name VARCHAR NOT NULL,            -- of the table, in the schema main
    digest VARCHAR NOT NULL,          -- of its SQL, key, columns and what becomes of its rows
    seq BIGINT NOT NULL,              -- the head's number of the change that made it, or made it anew
    sent BIGINT NOT NULL              -- rows of the outbox up to this number of the head have been delivered
);

-- Rows of derived tables that go to Kafka, each key once. Written with the batch, sent afterwards, never deleted.
CREATE TABLE lake.loader.outbox (
    pipeline VARCHAR NOT NULL,
    name VARCHAR NOT NULL,            -- of the derived table
    id VARCHAR NOT NULL,              -- the values of its key, as sql/derive/id.sql: the message's key
    batch BIGINT NOT NULL,            -- the batch that found it
    seq BIGINT NOT NULL,              -- the head's number of the commit that added it
    payload VARCHAR NOT NULL          -- the row as JSON: the message's value
);
