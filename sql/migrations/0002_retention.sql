-- What retention has removed, as counts: the balance can still be proved with them.

-- Spans: what stood in each partition of a generation up to a change of the warehouse, as if it were one span. Spans of loads, and
-- what rewinds voided, are not in loader.spans any more up to that change; accepted losses stay, and part the rows here.
CREATE TABLE lake.loader.folded (
    pipeline VARCHAR NOT NULL,
    generation INTEGER NOT NULL,
    seq BIGINT NOT NULL,              -- the head's number of the newest batch in it; the same in all rows of a pipeline
    partition INTEGER NOT NULL,
    begin_offset BIGINT NOT NULL,
    end_offset BIGINT NOT NULL,       -- exclusive
    consumed BIGINT NOT NULL,
    loaded BIGINT NOT NULL,
    duplicates BIGINT NOT NULL,
    quarantined BIGINT NOT NULL,
    skipped BIGINT NOT NULL,
    holes BIGINT NOT NULL,
    max_event_time TIMESTAMPTZ        -- of the batches that stood
);

-- Closed quarantine entries and duplicates, by batch.
CREATE TABLE lake.loader.removed (
    pipeline VARCHAR NOT NULL,
    generation INTEGER NOT NULL,
    place VARCHAR NOT NULL,           -- quarantined or duplicates
    batch BIGINT NOT NULL,            -- that refused the records, or found the duplicates; 0 for all of the generation whose spans are folded
    partition INTEGER NOT NULL,
    state VARCHAR NOT NULL,           -- of the entries: loaded, duplicate, skipped, dropped; empty for duplicates
    settled_by BIGINT NOT NULL,       -- the retry or drop; 0 for duplicates
    end_offset BIGINT NOT NULL,       -- behind the last of them: a rewind goes back no further
    records BIGINT NOT NULL
);

-- A row of no pipeline in each: DuckLake needs 60 ms to read a table that never held one, and 14 ms otherwise (1.5.5).
INSERT INTO lake.loader.folded VALUES ('', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL);
INSERT INTO lake.loader.removed VALUES ('', 0, 'duplicates', 0, 0, '', 0, 0, 0);
