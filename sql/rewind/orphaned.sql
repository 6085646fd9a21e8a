-- Duplicates that stay, though their first record is undone. Input: relation `places` (partition, place).
-- Output: partition, first (the smallest offset), records.
SELECT d.partition, min(d."offset") AS first, count(*) AS records
FROM lake.loader.duplicates AS d
JOIN places AS f ON f.partition = d.first_partition AND d.first_offset >= f.place
LEFT JOIN places AS own ON own.partition = d.partition AND d."offset" >= own.place
WHERE d.pipeline = {{ pipeline | text }} AND own.partition IS NULL
GROUP BY d.partition
ORDER BY d.partition;
