-- Duplicates whose first record was undone, and is to be loaded again. Parameters: pipeline.
-- Output: records.
SELECT count(*) AS records
FROM lake.loader.duplicates AS d
JOIN lake.loader.batches AS f ON f.pipeline = d.pipeline AND f.batch = d.first_batch
JOIN lake.loader.offsets AS o
    ON o.pipeline = d.pipeline AND o.generation = f.generation AND o.partition = d.first_partition
WHERE d.pipeline = $pipeline AND d.first_offset >= o.next_offset;
