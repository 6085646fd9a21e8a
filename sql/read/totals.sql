-- Where everything that the pipeline has consumed stands now: the counts of all loads but what was undone,
-- with each record that a retry took out of quarantine in its new place. Dropped records stay in quarantine. What
-- retention removed still counts.
--
-- Output: batches (of those that retention folded also what was undone), consumed, loaded, duplicates, quarantined,
-- skipped, holes.
WITH settled AS (
    SELECT state, 1 AS records FROM ledger.quarantine
    UNION ALL
    SELECT state, records FROM ledger.removed
),
retried AS (
    SELECT
        coalesce(sum(records) FILTER (WHERE state = 'loaded'), 0)::BIGINT AS loaded,
        coalesce(sum(records) FILTER (WHERE state = 'duplicate'), 0)::BIGINT AS duplicates,
        coalesce(sum(records) FILTER (WHERE state = 'skipped'), 0)::BIGINT AS skipped
    FROM settled
),
standing AS (
    SELECT batch, consumed, loaded, duplicates, quarantined, skipped, holes
    FROM ledger.spans WHERE voided_by IS NULL
    UNION ALL
    SELECT NULL, consumed, loaded, duplicates, quarantined, skipped, holes FROM ledger.folded
),
folded AS (
    SELECT count(*) AS batches FROM ledger.batches
    WHERE kind = 'load' AND seq <= (SELECT max(seq) FROM ledger.folded)
)
SELECT
    count(DISTINCT b.batch) + (SELECT batches FROM folded) AS batches,
    coalesce(sum(b.consumed), 0)::BIGINT AS consumed,
    coalesce(sum(b.loaded), 0)::BIGINT + any_value(r.loaded) AS loaded,
    coalesce(sum(b.duplicates), 0)::BIGINT + any_value(r.duplicates) AS duplicates,
    coalesce(sum(b.quarantined), 0)::BIGINT - any_value(r.loaded + r.duplicates + r.skipped) AS quarantined,
    coalesce(sum(b.skipped), 0)::BIGINT + any_value(r.skipped) AS skipped,
    coalesce(sum(b.holes), 0)::BIGINT AS holes
FROM retried AS r
LEFT JOIN standing AS b ON true;
