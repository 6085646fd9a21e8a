-- Check 1: the spans of each partition that count, accepted gaps among them, form a chain from the baseline to the committed offset.
-- Parameters: pipeline. Output: partition, found, expected, problem; no row when all is well.
WITH chain AS (
    SELECT s.partition, s.begin_offset, s.end_offset,
        coalesce(lag(s.end_offset) OVER (PARTITION BY s.partition ORDER BY s.begin_offset, s.end_offset), o.baseline) AS expected
    FROM lake.loader.spans AS s
    LEFT JOIN lake.loader.offsets AS o ON o.pipeline = s.pipeline AND o.partition = s.partition
    WHERE s.pipeline = $pipeline AND s.voided_by IS NULL
)
SELECT partition, begin_offset AS found, expected,
    CASE WHEN expected IS NULL THEN 'a span of a partition without an offset'
         WHEN begin_offset > expected THEN 'a gap before this span' ELSE 'this span overlaps the one before' END AS problem
FROM chain
WHERE begin_offset IS DISTINCT FROM expected OR end_offset <= begin_offset
UNION ALL
SELECT o.partition, o.next_offset, coalesce(max(s.end_offset), o.baseline), 'the committed offset is not the end of the last span'
FROM lake.loader.offsets AS o
LEFT JOIN lake.loader.spans AS s ON o.pipeline = s.pipeline AND o.partition = s.partition AND s.voided_by IS NULL
WHERE o.pipeline = $pipeline
GROUP BY o.partition, o.next_offset, o.baseline
HAVING o.next_offset <> coalesce(max(s.end_offset), o.baseline);
