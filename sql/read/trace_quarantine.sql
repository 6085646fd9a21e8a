-- What of one id was refused. Parameters: pipeline, id (its parts joined with |).
-- Output: generation, partition, offset, kafka_time (ISO, UTC), batch, committed_at (ISO, UTC), state, edited (whether a retry takes another
-- value than the original), reasons (JSON).
SELECT
    q.generation, q.partition, q."offset", strftime(q.kafka_time, '%Y-%m-%dT%H:%M:%S.%gZ') AS kafka_time, q.batch,
    strftime(b.committed_at, '%Y-%m-%dT%H:%M:%S.%gZ') AS committed_at, q.state,
    q.edited IS NOT NULL AS edited, q.reasons
FROM lake.loader.quarantine AS q
LEFT JOIN lake.loader.batches AS b ON b.pipeline = q.pipeline AND b.batch = q.batch
WHERE q.pipeline = $pipeline AND q.id = $id
ORDER BY q.batch, q.partition, q."offset";
