-- The sums of each partition of the topic in force, from its baseline to its committed offset, with each record that a
-- retry took out of quarantine in its new place. Accepted gaps are holes; what was undone does not count, what retention
-- removed does.
-- Output: partition, begin, end, consumed, loaded, duplicates, quarantined, skipped, holes.
WITH in_force AS (
    SELECT max(generation) AS generation FROM ledger.topics
),
settled AS (
    SELECT generation, partition, state, 1 AS records FROM ledger.quarantine
    UNION ALL
    SELECT generation, partition, state, records FROM ledger.removed
),
retried AS (
    SELECT
        partition, coalesce(sum(records) FILTER (WHERE state = 'loaded'), 0)::BIGINT AS loaded,
        coalesce(sum(records) FILTER (WHERE state = 'duplicate'), 0)::BIGINT AS duplicates,
        coalesce(sum(records) FILTER (WHERE state = 'skipped'), 0)::BIGINT AS skipped
    FROM settled
    WHERE generation = (FROM in_force)
    GROUP BY partition
),
standing AS (
    SELECT generation, partition, consumed, loaded, duplicates, quarantined, skipped, holes
    FROM ledger.spans WHERE voided_by IS NULL
    UNION ALL
    SELECT generation, partition, consumed, loaded, duplicates, quarantined, skipped, holes
    FROM ledger.folded
),
spans AS (
    SELECT
        partition, sum(consumed)::BIGINT AS consumed, sum(loaded)::BIGINT AS loaded, sum(duplicates)::BIGINT AS duplicates,
        sum(quarantined)::BIGINT AS quarantined, sum(skipped)::BIGINT AS skipped, sum(holes)::BIGINT AS holes
    FROM standing
    WHERE generation = (FROM in_force)
    GROUP BY partition
)
SELECT
    o.partition, o.baseline AS "begin", o.next_offset AS "end", coalesce(s.consumed, 0) AS consumed,
    coalesce(s.loaded, 0) + coalesce(r.loaded, 0) AS loaded,
    coalesce(s.duplicates, 0) + coalesce(r.duplicates, 0) AS duplicates,
    coalesce(s.quarantined, 0) - coalesce(r.loaded + r.duplicates + r.skipped, 0) AS quarantined,
    coalesce(s.skipped, 0) + coalesce(r.skipped, 0) AS skipped, coalesce(s.holes, 0) AS holes
FROM ledger.offsets AS o
LEFT JOIN spans AS s ON s.partition = o.partition
LEFT JOIN retried AS r ON r.partition = o.partition
WHERE o.generation = (FROM in_force)
ORDER BY o.partition;
