-- The sums of each partition, from its baseline to its committed offset.
-- Parameters: pipeline. Output: partition, begin, end, consumed, loaded, duplicates, quarantined, skipped, holes.
SELECT
    o.partition, o.baseline AS "begin", o.next_offset AS "end",
    coalesce(sum(s.consumed), 0)::BIGINT AS consumed, coalesce(sum(s.loaded), 0)::BIGINT AS loaded,
    coalesce(sum(s.duplicates), 0)::BIGINT AS duplicates, coalesce(sum(s.quarantined), 0)::BIGINT AS quarantined,
    coalesce(sum(s.skipped), 0)::BIGINT AS skipped, coalesce(sum(s.holes), 0)::BIGINT AS holes
FROM lake.loader.offsets AS o
LEFT JOIN lake.loader.spans AS s ON s.pipeline = o.pipeline AND s.partition = o.partition
WHERE o.pipeline = $pipeline
GROUP BY o.partition, o.baseline, o.next_offset
ORDER BY o.partition;
