-- The duplicates of one id, and where the first one stands. Parameters: pipeline, id (its parts joined with |).
-- Output: generation, partition, offset, batch, committed_at (ISO, UTC), first_generation, first_partition, first_offset,
-- first_batch.
SELECT
    d.generation, d.partition, d."offset", d.batch, strftime(b.committed_at, '%Y-%m-%dT%H:%M:%S.%gZ') AS committed_at,
    f.generation AS first_generation, d.first_partition, d.first_offset, d.first_batch
FROM lake.loader.duplicates AS d
LEFT JOIN lake.loader.batches AS b ON b.pipeline = d.pipeline AND b.batch = d.batch
LEFT JOIN lake.loader.batches AS f ON f.pipeline = d.pipeline AND f.batch = d.first_batch
WHERE d.pipeline = $pipeline AND d.id = $id
ORDER BY d.batch, d.partition, d."offset";
