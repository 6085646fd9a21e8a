-- Losses that were accepted: ranges that were never loaded, because the log did not hold them any more.
-- Parameters: pipeline. Output: generation, partition, begin, end, batch, worker, committed_at (ISO, UTC).
SELECT
    s.generation, s.partition, s.begin_offset AS "begin", s.end_offset AS "end", s.batch, b.worker,
    strftime(b.committed_at, '%Y-%m-%dT%H:%M:%SZ') AS committed_at
FROM lake.loader.spans AS s
JOIN lake.loader.batches AS b ON b.pipeline = s.pipeline AND b.batch = s.batch
WHERE s.pipeline = $pipeline AND b.kind = 'accept' AND s.voided_by IS NULL
ORDER BY s.generation, s.partition, s.begin_offset;
