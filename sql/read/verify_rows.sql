-- Check 3: what stands in the tables is what the ledger says, per batch and partition. For a retry or drop the
-- quarantine says it, entry by entry, and the ledger the sums, with the entries that were undone since. What retention
-- removed counts as found; batches whose spans it folded are compared together, as batch 0 of their generation.
-- Output: place, generation (NULL for the first), batch, partition, found, expected; no row when
-- all is well.
WITH known AS (
    SELECT
        batch, generation, kind = 'load' AND seq <= coalesce(
            (SELECT max(seq) FROM ledger.folded), 0) AS is_folded
    FROM ledger.batches
),
stands AS (
    SELECT 'loaded' AS place, NULL::INTEGER AS generation, _batch AS batch, _partition AS partition, count(*) AS records
    FROM lake.main.{{ table | ident }} GROUP BY ALL
    UNION ALL
    SELECT 'quarantined', generation, batch, partition, count(*)
    FROM ledger.quarantine GROUP BY ALL
    UNION ALL
    SELECT 'duplicates', generation, batch, partition, count(*)
    FROM ledger.duplicates GROUP BY ALL
    UNION ALL
    SELECT place, generation, batch, partition, records FROM ledger.removed
),
found AS (
    SELECT
        place, coalesce(s.generation, l.generation) AS generation,
        CASE WHEN l.is_folded THEN 0 ELSE s.batch END AS batch, partition, sum(records)::BIGINT AS records
    FROM stands AS s
    LEFT JOIN known AS l ON l.batch = s.batch
    GROUP BY ALL
),
settled AS (
    SELECT
        CASE state WHEN 'duplicate' THEN 'duplicates' ELSE state END AS place, generation, batch, partition,
        sum(records)::BIGINT AS records
    FROM (
        SELECT state, generation, changed_by AS batch, partition, 1 AS records
        FROM ledger.quarantine WHERE state <> 'open'
        UNION ALL
        SELECT state, generation, settled_by, partition, records
        FROM ledger.removed WHERE place = 'quarantined'
    )
    GROUP BY ALL
),
expected AS (
    UNPIVOT (
        SELECT generation, batch, partition, loaded, quarantined, duplicates
        FROM ledger.spans WHERE voided_by IS NULL
    )
    ON loaded, quarantined, duplicates INTO NAME place VALUE records
    UNION ALL
    UNPIVOT (
        SELECT
            generation, 0::BIGINT AS batch, partition, sum(loaded)::BIGINT AS loaded, sum(quarantined)::BIGINT AS quarantined,
            sum(duplicates)::BIGINT AS duplicates
        FROM ledger.folded GROUP BY generation, partition
    )
    ON loaded, quarantined, duplicates INTO NAME place VALUE records
    UNION ALL
    SELECT generation, batch, partition, place, records FROM settled WHERE place IN ('loaded', 'duplicates')
),
sums AS (
    UNPIVOT (
        SELECT
            batch, loaded, duplicates, skipped, CASE WHEN kind = 'drop' THEN quarantined ELSE 0 END AS dropped
        FROM ledger.batches WHERE kind IN ('retry', 'edit', 'drop')
    )
    ON loaded, duplicates, skipped, dropped INTO NAME place VALUE records
)
SELECT place, nullif(generation, 0) AS generation, batch, partition, coalesce(f.records, 0) AS found, coalesce(e.records, 0) AS expected
FROM found AS f
FULL JOIN (FROM expected WHERE records > 0) AS e USING (place, generation, batch, partition)
WHERE coalesce(f.records, 0) <> coalesce(e.records, 0)
UNION ALL
SELECT 'quarantine entries: ' || place, NULL, batch, NULL, coalesce(f.records, 0), coalesce(e.records, 0)
FROM (
    SELECT place, batch, sum(records)::BIGINT AS records
    FROM (
        SELECT place, batch, records FROM settled
        UNION ALL
        SELECT CASE state WHEN 'duplicate' THEN 'duplicates' ELSE state END, settled_by, entries
        FROM ledger.undone
    )
    GROUP BY ALL
) AS f
FULL JOIN (FROM sums WHERE records > 0) AS e USING (place, batch)
WHERE coalesce(f.records, 0) <> coalesce(e.records, 0);
