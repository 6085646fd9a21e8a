-- The newest batches that together hold the last 1,000 consumed records, for the quarantine limit.
-- Parameters: pipeline. Output: consumed, quarantined, newest first.
SELECT consumed, quarantined
FROM (
    SELECT batch, consumed, quarantined, sum(consumed) OVER (ORDER BY batch DESC) - consumed AS newer
    FROM lake.loader.batches
    WHERE pipeline = ? AND kind = 'load'
)
WHERE newer < 1000
ORDER BY batch DESC;
