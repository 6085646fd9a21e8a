-- Check 2: each span adds up, each load is the sum of its spans as they were written, each rewind the sum of what it
-- voided without what it left of it, and what was done to quarantine entries adds up. Of what retention folded, all
-- batches together are the sum.
-- Output: batch, partition, problem; no row when all is well.
WITH reached AS (
    SELECT coalesce(max(seq), 0) AS seq FROM ledger.folded
),
spans AS (
    SELECT batch, partition, begin_offset, end_offset, consumed, loaded, duplicates, quarantined, skipped, holes
    FROM ledger.spans
    UNION ALL
    SELECT NULL, partition, begin_offset, end_offset, consumed, loaded, duplicates, quarantined, skipped, holes
    FROM ledger.folded
),
old AS (  -- what the batches say that are folded, and with the other sign what stands of them
    SELECT consumed, loaded, duplicates, quarantined, skipped, holes, CASE kind WHEN 'rewind' THEN -1 ELSE 1 END AS sign
    FROM ledger.batches
    WHERE kind IN ('load', 'accept', 'rewind') AND seq <= (SELECT seq FROM reached)
    UNION ALL
    SELECT consumed, loaded, duplicates, quarantined, skipped, holes, -1 FROM ledger.folded
    UNION ALL
    SELECT s.consumed, s.loaded, s.duplicates, s.quarantined, s.skipped, s.holes, -1
    FROM ledger.spans AS s
    JOIN ledger.batches AS b ON b.batch = s.batch AND b.seq <= (SELECT seq FROM reached)
    WHERE s.voided_by IS NULL
)
SELECT batch, partition, 'end - begin is not consumed + holes, or consumed is not the sum of its places' AS problem
FROM spans
WHERE end_offset - begin_offset <> consumed + holes
    OR consumed <> loaded + duplicates + quarantined + skipped OR holes < 0
UNION ALL
SELECT NULL, NULL, 'the batches whose spans are folded are not the sum of what was folded'
FROM old
HAVING (sum(sign * consumed), sum(sign * loaded), sum(sign * duplicates), sum(sign * quarantined), sum(sign * skipped), sum(sign * holes))
    IS DISTINCT FROM (0, 0, 0, 0, 0, 0) AND count(*) > 0
UNION ALL
SELECT b.batch, NULL, 'the batch is not the sum of its spans'
FROM ledger.batches AS b
LEFT JOIN (
    SELECT batch, sum(consumed) AS consumed, sum(loaded) AS loaded, sum(duplicates) AS duplicates,
        sum(quarantined) AS quarantined, sum(skipped) AS skipped, sum(holes) AS holes
    FROM (
        SELECT batch, consumed, loaded, duplicates, quarantined, skipped, holes FROM ledger.spans
        WHERE cut_by IS NULL
        UNION ALL
        SELECT voided_by, consumed, loaded, duplicates, quarantined, skipped, holes FROM ledger.spans
        WHERE voided_by IS NOT NULL
        UNION ALL
        SELECT cut_by, -consumed, -loaded, -duplicates, -quarantined, -skipped, -holes FROM ledger.spans
        WHERE cut_by IS NOT NULL
    )
    GROUP BY batch
) AS s USING (batch)
WHERE b.kind IN ('load', 'accept', 'rewind') AND (b.seq > (SELECT seq FROM reached) OR b.kind = 'accept')
    AND (b.consumed, b.loaded, b.duplicates, b.quarantined, b.skipped, b.holes)
    IS DISTINCT FROM (s.consumed, s.loaded, s.duplicates, s.quarantined, s.skipped, s.holes)
UNION ALL
SELECT batch, NULL, 'consumed is not the sum of its places' AS problem
FROM ledger.batches
WHERE consumed <> loaded + duplicates + quarantined + skipped
UNION ALL
SELECT s.batch, s.partition, 'a span without its batch, or of another generation'
FROM ledger.spans AS s
ANTI JOIN ledger.batches AS b ON b.batch = s.batch AND b.generation = s.generation
UNION ALL
SELECT s.batch, s.partition, 'a span that was voided or cut by no rewind'
FROM (SELECT batch, partition, unnest([voided_by, cut_by]) AS rewind FROM ledger.spans) AS s
ANTI JOIN ledger.batches AS b ON b.kind = 'rewind' AND b.batch = s.rewind
WHERE s.rewind IS NOT NULL;
