-- Duplicates that stay, though their first record is undone. Input: relation `places` (partition, place) of the
-- topic in force. Output: partition, first (the smallest offset), records, former (they are of a former topic).
SELECT d.partition, min(d."offset") AS first, count(*) AS records, d.generation <> {{ generation }} AS former
FROM lake.loader.duplicates AS d
JOIN lake.loader.batches AS b
    ON b.pipeline = d.pipeline AND b.batch = d.first_batch AND b.generation = {{ generation }}
JOIN places AS f ON f.partition = d.first_partition AND d.first_offset >= f.place
LEFT JOIN places AS own
    ON d.generation = {{ generation }} AND own.partition = d.partition AND d."offset" >= own.place
WHERE d.pipeline = {{ pipeline | text }} AND own.partition IS NULL
GROUP BY d.generation, d.partition
ORDER BY d.generation, d.partition;
