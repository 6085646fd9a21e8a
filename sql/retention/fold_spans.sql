-- The sums of what stands up to a change: earlier sums and spans of loads, parted where a loss was accepted.
-- Parameters: pipeline, seq (of the change). Output: the columns of loader.folded.
WITH ledger AS (
    SELECT batch, kind, max_event_time FROM lake.loader.batches WHERE pipeline = $pipeline AND seq <= $seq
),
pieces AS (
    SELECT * EXCLUDE (pipeline, seq), false AS is_loss FROM lake.loader.folded WHERE pipeline = $pipeline
    UNION ALL BY NAME
    SELECT s.* EXCLUDE (pipeline, batch, voided_by, cut_by), l.max_event_time, l.kind = 'accept' AS is_loss
    FROM lake.loader.spans AS s
    JOIN ledger AS l USING (batch)
    WHERE s.pipeline = $pipeline AND s.voided_by IS NULL
),
parted AS (
    SELECT *, sum(is_loss::INTEGER) OVER (PARTITION BY generation, partition ORDER BY begin_offset) AS part FROM pieces
)
SELECT
    CAST($pipeline AS VARCHAR) AS pipeline, generation, CAST($seq AS BIGINT) AS seq, partition, min(begin_offset) AS begin_offset,
    max(end_offset) AS end_offset, sum(consumed)::BIGINT AS consumed, sum(loaded)::BIGINT AS loaded,
    sum(duplicates)::BIGINT AS duplicates, sum(quarantined)::BIGINT AS quarantined, sum(skipped)::BIGINT AS skipped,
    sum(holes)::BIGINT AS holes, max(max_event_time) AS max_event_time
FROM parted
WHERE NOT is_loss
GROUP BY generation, partition, part
ORDER BY generation, partition, begin_offset;
