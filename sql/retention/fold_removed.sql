-- The counts of what was removed, with those of all loads of a generation up to a change as of one batch, number 0.
-- Parameters: pipeline, seq (of the change). Output: the columns of loader.removed.
SELECT
    r.pipeline, r.generation, r.place, CASE WHEN l.batch IS NULL THEN r.batch ELSE 0 END AS batch, r.partition, r.state, r.settled_by,
    max(r.end_offset) AS end_offset, sum(r.records)::BIGINT AS records
FROM lake.loader.removed AS r
LEFT JOIN (
    SELECT batch FROM lake.loader.batches WHERE pipeline = $pipeline AND seq <= $seq AND kind = 'load'
) AS l ON l.batch = r.batch
WHERE r.pipeline = $pipeline
GROUP BY ALL;
