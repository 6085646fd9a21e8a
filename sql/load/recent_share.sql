-- The newest batches that together hold the last 1,000 consumed records, for the quarantine limit.
-- What was undone does not count. Parameters: pipeline. Output: consumed, quarantined, newest first.
SELECT consumed, quarantined
FROM (
    SELECT batch, consumed, quarantined, sum(consumed) OVER (ORDER BY batch DESC) - consumed AS newer
    FROM (
        SELECT batch, sum(consumed)::BIGINT AS consumed, sum(quarantined)::BIGINT AS quarantined
        FROM lake.loader.spans
        WHERE pipeline = ? AND voided_by IS NULL
        GROUP BY batch
        HAVING sum(consumed) > 0
    )
)
WHERE newer < 1000
ORDER BY batch DESC;
