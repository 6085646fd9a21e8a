-- Check 5: the spans of the topic in force whose holes are to be confirmed by reading them again; not what was undone,
-- and not the accepted gaps, which the log does not hold; nor what retention has folded.
-- Parameters: pipeline. Output: partition, begin_offset, end_offset, consumed.
SELECT partition, begin_offset, end_offset, consumed
FROM lake.loader.spans
WHERE pipeline = $pipeline AND generation = (SELECT max(generation) FROM lake.loader.topics WHERE pipeline = $pipeline)
    AND holes > 0 AND voided_by IS NULL
    AND batch NOT IN (SELECT batch FROM lake.loader.batches WHERE pipeline = $pipeline AND kind = 'accept')
ORDER BY partition, begin_offset;
