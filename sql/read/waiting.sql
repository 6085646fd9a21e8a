-- Duplicates whose first record was undone, and is to be loaded again.
-- Output: records.
SELECT count(*) AS records
FROM ledger.duplicates AS d
JOIN ledger.batches AS f ON f.batch = d.first_batch
JOIN ledger.offsets AS o
    ON o.generation = f.generation AND o.partition = d.first_partition
WHERE d.first_offset >= o.next_offset;
