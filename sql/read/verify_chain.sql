-- Check 1: the spans of each partition that count, accepted gaps and what retention folded among them, form a chain
-- from the baseline to the committed offset.
-- Parameters: pipeline. Output: partition, found, expected, problem; no row when all is well.
WITH standing AS (
    SELECT partition, begin_offset, end_offset FROM lake.loader.spans WHERE pipeline = $pipeline AND voided_by IS NULL
    UNION ALL
    SELECT partition, begin_offset, end_offset FROM lake.loader.folded WHERE pipeline = $pipeline
),
chain AS (
    SELECT s.partition, s.begin_offset, s.end_offset,
        coalesce(lag(s.end_offset) OVER (PARTITION BY s.partition ORDER BY s.begin_offset, s.end_offset), o.baseline) AS expected
    FROM standing AS s
    LEFT JOIN lake.loader.offsets AS o ON o.pipeline = $pipeline AND o.partition = s.partition
)
SELECT partition, begin_offset AS found, expected,
    CASE WHEN expected IS NULL THEN 'a span of a partition without an offset'
         WHEN begin_offset > expected THEN 'a gap before this span' ELSE 'this span overlaps the one before' END AS problem
FROM chain
WHERE begin_offset IS DISTINCT FROM expected OR end_offset <= begin_offset
UNION ALL
SELECT o.partition, o.next_offset, coalesce(max(s.end_offset), o.baseline), 'the committed offset is not the end of the last span'
FROM lake.loader.offsets AS o
LEFT JOIN standing AS s ON o.partition = s.partition
WHERE o.pipeline = $pipeline
GROUP BY o.partition, o.next_offset, o.baseline
HAVING o.next_offset <> coalesce(max(s.end_offset), o.baseline);
