-- The newest load of the pipeline. Parameters: pipeline.
-- Output: batch, seq, worker, committed_at (ISO, UTC), age_s, consumed, loaded, duplicates,
-- quarantined, skipped, newest event time of all batches (ISO, UTC), its age in seconds.
SELECT
    batch, seq, worker, strftime(committed_at, '%Y-%m-%dT%H:%M:%SZ') AS committed_at, epoch(now()) - epoch(committed_at) AS age_s,
    consumed, loaded, duplicates, quarantined, skipped,
    (SELECT strftime(max(max_event_time), '%Y-%m-%dT%H:%M:%SZ') FROM lake.loader.batches WHERE pipeline = $pipeline) AS newest_event,
    (SELECT epoch(now()) - epoch(max(max_event_time)) FROM lake.loader.batches WHERE pipeline = $pipeline) AS event_age_s
FROM lake.loader.batches
WHERE pipeline = $pipeline AND kind = 'load'
ORDER BY seq DESC
LIMIT 1;
