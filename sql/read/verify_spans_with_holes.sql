-- Check 5: the spans of the topic in force whose holes are to be confirmed by reading them again; not what was undone,
-- and not the accepted gaps, which the log does not hold; nor what retention has folded.
-- Output: partition, begin_offset, end_offset, consumed.
SELECT partition, begin_offset, end_offset, consumed
FROM ledger.spans
WHERE generation = (SELECT max(generation) FROM ledger.topics)
    AND holes > 0 AND voided_by IS NULL
    AND batch NOT IN (SELECT batch FROM ledger.batches WHERE kind = 'accept')
ORDER BY partition, begin_offset;
