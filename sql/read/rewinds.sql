-- What was undone, rewind by rewind. Parameters: pipeline.
-- Output: batch, worker, committed_at (ISO, UTC), note, consumed, spans (how many were voided).
SELECT
    b.batch, b.worker, strftime(b.committed_at, '%Y-%m-%dT%H:%M:%SZ') AS committed_at, b.note, b.consumed,
    (SELECT count(*) FROM lake.loader.spans AS s WHERE s.pipeline = $pipeline AND s.voided_by = b.batch) AS spans
FROM lake.loader.batches AS b
WHERE b.pipeline = $pipeline AND b.kind = 'rewind'
ORDER BY b.seq;
