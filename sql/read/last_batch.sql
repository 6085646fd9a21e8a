-- The newest load of the pipeline. Parameters: pipeline.
-- Output: batch, seq, worker, committed_at (ISO, UTC), age_s, consumed, loaded, duplicates,
-- quarantined, skipped, newest event time of all batches that stand (seconds since the epoch), its age in seconds.
WITH stands AS (
    SELECT greatest(
        (SELECT max(b.max_event_time) FROM lake.loader.batches AS b
        WHERE b.pipeline = $pipeline
            AND (b.kind <> 'load' OR b.batch IN (SELECT batch FROM lake.loader.spans WHERE pipeline = $pipeline AND voided_by IS NULL))),
        (SELECT max(max_event_time) FROM lake.loader.folded WHERE pipeline = $pipeline)
    ) AS newest
)
SELECT
    batch, seq, worker, strftime(committed_at, '%Y-%m-%dT%H:%M:%SZ') AS committed_at, epoch(now()) - epoch(committed_at) AS age_s,
    consumed, loaded, duplicates, quarantined, skipped,
    (SELECT epoch(newest) FROM stands) AS newest_event,
    (SELECT epoch(now()) - epoch(newest) FROM stands) AS event_age_s
FROM lake.loader.batches
WHERE pipeline = $pipeline AND kind = 'load'
ORDER BY seq DESC
LIMIT 1;
