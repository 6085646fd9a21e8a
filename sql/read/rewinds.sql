-- What was undone, rewind by rewind, as far back as spans are kept. Parameters: pipeline.
-- Output: batch, worker, committed_at (ISO, UTC), note, consumed, spans (how many were voided).
SELECT
    b.batch, b.worker, strftime(b.committed_at, '%Y-%m-%dT%H:%M:%SZ') AS committed_at, b.note, b.consumed,
    (SELECT count(*) FROM lake.loader.spans AS s WHERE s.pipeline = $pipeline AND s.voided_by = b.batch) AS spans
FROM lake.loader.batches AS b
WHERE b.pipeline = $pipeline AND b.kind = 'rewind'
    AND b.seq > (SELECT coalesce(max(seq), 0) FROM lake.loader.folded WHERE pipeline = $pipeline)
ORDER BY b.seq;
