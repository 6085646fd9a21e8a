-- The topics that the pipeline was loaded from, generation by generation, and what stands of each.
-- Output: generation, cluster_id, topic, topic_id, partitions, batch, seq, worker,
-- committed_at (ISO, UTC), note (NULL for the first topic, like batch to committed_at), consumed, holes, offsets
-- (up to where each partition was loaded).
SELECT
    t.generation, t.cluster_id, t.topic, t.topic_id, t.partitions, t.batch, b.seq, b.worker,
    strftime(b.committed_at, '%Y-%m-%dT%H:%M:%SZ') AS committed_at, b.note,
    coalesce(s.consumed, 0) AS consumed, coalesce(s.holes, 0) AS holes, o.offsets
FROM ledger.topics AS t
LEFT JOIN ledger.batches AS b ON b.batch = t.batch
LEFT JOIN (
    SELECT generation, sum(consumed)::BIGINT AS consumed, sum(holes)::BIGINT AS holes
    FROM ledger.spans WHERE voided_by IS NULL GROUP BY generation
) AS s ON s.generation = t.generation
LEFT JOIN (
    SELECT generation, list(next_offset ORDER BY partition) AS offsets
    FROM ledger.offsets GROUP BY generation
) AS o ON o.generation = t.generation
ORDER BY t.generation;
