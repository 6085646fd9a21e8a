-- Check 5: the spans whose holes are to be confirmed by reading them again.
-- Parameters: pipeline. Output: partition, begin_offset, end_offset, consumed.
SELECT partition, begin_offset, end_offset, consumed
FROM lake.loader.spans
WHERE pipeline = $pipeline AND holes > 0
ORDER BY partition, begin_offset;
