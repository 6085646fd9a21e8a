-- Check 1: the spans of each partition that count, accepted gaps and what retention folded among them, form a chain
-- from the baseline to the committed offset, in each generation of the topic.
-- Output: generation (NULL for the first), partition, found, expected, problem; no row when all is
-- well.
WITH standing AS (
    SELECT generation, partition, begin_offset, end_offset
    FROM ledger.spans WHERE voided_by IS NULL
    UNION ALL
    SELECT generation, partition, begin_offset, end_offset FROM ledger.folded
),
chain AS (
    SELECT s.generation, s.partition, s.begin_offset, s.end_offset,
        coalesce(
            lag(s.end_offset) OVER (PARTITION BY s.generation, s.partition ORDER BY s.begin_offset, s.end_offset), o.baseline
        ) AS expected
    FROM standing AS s
    LEFT JOIN ledger.offsets AS o
        ON o.generation = s.generation AND o.partition = s.partition
)
SELECT nullif(generation, 0) AS generation, partition, begin_offset AS found, expected,
    CASE WHEN expected IS NULL THEN 'a span of a partition without an offset'
         WHEN begin_offset > expected THEN 'a gap before this span' ELSE 'this span overlaps the one before' END AS problem
FROM chain
WHERE begin_offset IS DISTINCT FROM expected OR end_offset <= begin_offset
UNION ALL
SELECT nullif(o.generation, 0), o.partition, o.next_offset, coalesce(max(s.end_offset), o.baseline),
    'the committed offset is not the end of the last span'
FROM ledger.offsets AS o
LEFT JOIN standing AS s ON o.generation = s.generation AND o.partition = s.partition
GROUP BY o.generation, o.partition, o.next_offset, o.baseline
HAVING o.next_offset <> coalesce(max(s.end_offset), o.baseline)
UNION ALL
SELECT t.generation, NULL, NULL, NULL, 'a topic that no change in the ledger brought, or a number is missing before it'
FROM ledger.topics AS t
LEFT JOIN ledger.batches AS b
    ON b.batch = t.batch AND b.kind = 'topic' AND b.generation = t.generation
WHERE t.generation > 0 AND (
    b.batch IS NULL
    OR t.generation - 1 NOT IN (SELECT generation FROM ledger.topics));
