-- What was undone, rewind by rewind, as far back as spans are kept.
-- Output: batch, worker, committed_at (ISO, UTC), note, consumed, spans (how many were voided).
SELECT
    b.batch, b.worker, strftime(b.committed_at, '%Y-%m-%dT%H:%M:%SZ') AS committed_at, b.note, b.consumed,
    (SELECT count(*) FROM ledger.spans AS s WHERE s.voided_by = b.batch) AS spans
FROM ledger.batches AS b
WHERE b.kind = 'rewind'
    AND b.seq > (SELECT coalesce(max(seq), 0) FROM ledger.folded)
ORDER BY b.seq;
