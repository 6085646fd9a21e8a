-- Losses that were accepted: ranges that were never loaded, because the log did not hold them any more.
-- Output: generation, partition, begin, end, batch, worker, committed_at (ISO, UTC).
SELECT
    s.generation, s.partition, s.begin_offset AS "begin", s.end_offset AS "end", s.batch, b.worker,
    strftime(b.committed_at, '%Y-%m-%dT%H:%M:%SZ') AS committed_at
FROM ledger.spans AS s
JOIN ledger.batches AS b ON b.batch = s.batch
WHERE b.kind = 'accept' AND s.voided_by IS NULL
ORDER BY s.generation, s.partition, s.begin_offset;
