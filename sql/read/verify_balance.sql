-- Check 2: each span adds up, each load is the sum of its spans as they were written, each rewind the sum of what it
-- voided without what it left of it, and what was done to quarantine entries adds up.
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
    FROM (
        SELECT batch, consumed, loaded, duplicates, quarantined, skipped, holes FROM lake.loader.spans
        WHERE pipeline = $pipeline AND cut_by IS NULL
        UNION ALL
        SELECT voided_by, consumed, loaded, duplicates, quarantined, skipped, holes FROM lake.loader.spans
        WHERE pipeline = $pipeline AND voided_by IS NOT NULL
        UNION ALL
        SELECT cut_by, -consumed, -loaded, -duplicates, -quarantined, -skipped, -holes FROM lake.loader.spans
        WHERE pipeline = $pipeline AND cut_by IS NOT NULL
    )
    GROUP BY batch
) AS s USING (batch)
WHERE b.pipeline = $pipeline AND b.kind IN ('load', 'accept', 'rewind') AND (b.consumed, b.loaded, b.duplicates, b.quarantined, b.skipped, b.holes)
    IS DISTINCT FROM (s.consumed, s.loaded, s.duplicates, s.quarantined, s.skipped, s.holes)
UNION ALL
SELECT batch, NULL, 'consumed is not the sum of its places' AS problem
FROM lake.loader.batches
WHERE pipeline = $pipeline AND consumed <> loaded + duplicates + quarantined + skipped
UNION ALL
SELECT s.batch, s.partition, 'a span without its batch'
FROM lake.loader.spans AS s
ANTI JOIN lake.loader.batches AS b ON b.pipeline = s.pipeline AND b.batch = s.batch
WHERE s.pipeline = $pipeline
UNION ALL
SELECT s.batch, s.partition, 'a span that was voided or cut by no rewind'
FROM (SELECT batch, partition, unnest([voided_by, cut_by]) AS rewind FROM lake.loader.spans WHERE pipeline = $pipeline) AS s
ANTI JOIN lake.loader.batches AS b ON b.pipeline = $pipeline AND b.kind = 'rewind' AND b.batch = s.rewind
WHERE s.rewind IS NOT NULL;
