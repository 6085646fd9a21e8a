-- Duplicates and refusals per day of commit, as first loaded: `loader status` counts records where they stand now.
-- Plot: duplicates, quarantined by day
SELECT
    strftime(committed_at, '%Y-%m-%d') AS day,
    sum(consumed)::BIGINT AS consumed,
    sum(loaded)::BIGINT AS loaded,
    sum(duplicates)::BIGINT AS duplicates,
    sum(quarantined)::BIGINT AS quarantined,
    round(100.0 * sum(duplicates) / nullif(sum(consumed), 0), 2) AS duplicate_percent
FROM loader.batches
WHERE pipeline = {{ pipeline | text }} AND kind = 'load'
GROUP BY ALL
ORDER BY day DESC
