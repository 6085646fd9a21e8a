-- Check 2: each span adds up, each load is the sum of its spans, and what was done to quarantine entries adds up.
-- Parameters: pipeline. Output: batch, partition, problem; no row when all is well.
SELECT batch, partition, 'end - begin is not consumed + holes, or consumed is not the sum of its places' AS problem
FROM lake.loader.spans
WHERE pipeline = $pipeline
    AND (end_offset - begin_offset <> consumed + holes
        OR consumed <> loaded + duplicates + quarantined + skipped OR holes < 0)
UNION ALL
SELECT b.batch, NULL, 'the batch is not the sum of its spans'
FROM lake.loader.batches AS b
LEFT JOIN (
    SELECT batch, sum(consumed) AS consumed, sum(loaded) AS loaded, sum(duplicates) AS duplicates,
        sum(quarantined) AS quarantined, sum(skipped) AS skipped, sum(holes) AS holes
    FROM lake.loader.spans WHERE pipeline = $pipeline GROUP BY batch
) AS s USING (batch)
WHERE b.pipeline = $pipeline AND b.kind = 'load' AND (b.consumed, b.loaded, b.duplicates, b.quarantined, b.skipped, b.holes)
    IS DISTINCT FROM (s.consumed, s.loaded, s.duplicates, s.quarantined, s.skipped, s.holes)
UNION ALL
SELECT batch, NULL, 'consumed is not the sum of its places' AS problem
FROM lake.loader.batches
WHERE pipeline = $pipeline AND consumed <> loaded + duplicates + quarantined + skipped
UNION ALL
SELECT s.batch, s.partition, 'a span without its batch'
FROM lake.loader.spans AS s
ANTI JOIN lake.loader.batches AS b ON b.pipeline = s.pipeline AND b.batch = s.batch
WHERE s.pipeline = $pipeline;
