-- Every shape that the pipeline's table has had, the newest last. Parameters: pipeline.
-- Output: seq, shape, worker, changed_at (text, UTC).
SELECT seq, shape, worker, strftime(changed_at AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%SZ') AS changed_at
FROM lake.loader.contracts
WHERE pipeline = ?
ORDER BY seq;
