-- The sums of each partition, from its baseline to its committed offset, with each record that a retry took out of
-- quarantine in its new place. Accepted gaps are holes; what was undone does not count.
-- Parameters: pipeline. Output: partition, begin, end, consumed, loaded, duplicates, quarantined, skipped, holes.
WITH retried AS (
    SELECT
        partition, count(*) FILTER (WHERE state = 'loaded') AS loaded,
        count(*) FILTER (WHERE state = 'duplicate') AS duplicates, count(*) FILTER (WHERE state = 'skipped') AS skipped
    FROM lake.loader.quarantine
    WHERE pipeline = $pipeline AND state IN ('loaded', 'duplicate', 'skipped')
    GROUP BY partition
),
spans AS (
    SELECT
        partition, sum(consumed)::BIGINT AS consumed, sum(loaded)::BIGINT AS loaded, sum(duplicates)::BIGINT AS duplicates,
        sum(quarantined)::BIGINT AS quarantined, sum(skipped)::BIGINT AS skipped, sum(holes)::BIGINT AS holes
    FROM lake.loader.spans
    WHERE pipeline = $pipeline AND voided_by IS NULL
    GROUP BY partition
)
SELECT
    o.partition, o.baseline AS "begin", o.next_offset AS "end", coalesce(s.consumed, 0) AS consumed,
    coalesce(s.loaded, 0) + coalesce(r.loaded, 0) AS loaded,
    coalesce(s.duplicates, 0) + coalesce(r.duplicates, 0) AS duplicates,
    coalesce(s.quarantined, 0) - coalesce(r.loaded + r.duplicates + r.skipped, 0) AS quarantined,
    coalesce(s.skipped, 0) + coalesce(r.skipped, 0) AS skipped, coalesce(s.holes, 0) AS holes
FROM lake.loader.offsets AS o
LEFT JOIN spans AS s ON s.partition = o.partition
LEFT JOIN retried AS r ON r.partition = o.partition
WHERE o.pipeline = $pipeline
ORDER BY o.partition;
