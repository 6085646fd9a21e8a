-- Check 4: no position of a topic stands in two places, and none lies outside the spans of its batch. What a retry took
-- out of quarantine stands where it became: as a row or a duplicate of that retry, inside a span of the batch that
-- refused it. What was undone stands nowhere. The same position of another generation is another one; of which one an
-- entry or duplicate is, it says itself, and its batch must say the same. Of what retention removed, the number is
-- proved elsewhere: a row of a retry without its entry must stand before the last entry that was removed.
-- Output: generation (NULL for the first), partition, offset, places; no row when all is well.
WITH reached AS (
    SELECT coalesce(max(seq), 0) AS seq FROM ledger.folded
),
known AS (  -- batches whose spans are folded have the number 0
    SELECT batch, generation, CASE WHEN kind = 'load' AND seq <= (SELECT seq FROM reached) THEN 0 ELSE batch END AS span_of
    FROM ledger.batches
),
places AS (  -- kind: 0 a row, 1 a duplicate, 2 refused
    SELECT s.*, l.generation, coalesce(s.says <> l.generation, false) AS is_elsewhere
    FROM (
        SELECT _partition AS partition, _offset AS "offset", _batch AS batch, 0::UTINYINT AS kind, NULL::INTEGER AS says
        FROM lake.main.{{ table | ident }}
        UNION ALL
        SELECT partition, "offset", batch, 1::UTINYINT, generation FROM ledger.duplicates
        UNION ALL
        SELECT partition, "offset", batch, 2::UTINYINT, generation FROM ledger.quarantine
        WHERE state NOT IN ('loaded', 'duplicate')
    ) AS s
    LEFT JOIN known AS l USING (batch)
),
retried AS (
    SELECT
        generation, partition, "offset", batch AS refused_by, changed_by AS batch, (state = 'duplicate')::UTINYINT AS kind
    FROM ledger.quarantine
    WHERE state IN ('loaded', 'duplicate')
),
spans AS (
    SELECT generation, batch, partition, begin_offset, end_offset
    FROM ledger.spans WHERE voided_by IS NULL
    UNION ALL
    SELECT generation, 0, partition, begin_offset, end_offset FROM ledger.folded
    UNION ALL
    SELECT r.generation, r.settled_by, r.partition, any_value(o.baseline), max(r.end_offset)
    FROM ledger.removed AS r
    JOIN ledger.offsets AS o ON o.generation = r.generation AND o.partition = r.partition
    WHERE r.place = 'quarantined'
    GROUP BY r.generation, r.settled_by, r.partition
),
origins AS (
    SELECT o.generation, partition, "offset", coalesce(l.span_of, o.batch) AS batch
    FROM (
        SELECT generation, partition, "offset", coalesce(r.refused_by, p.batch) AS batch
        FROM places AS p
        LEFT JOIN retried AS r USING (generation, partition, "offset", batch, kind)
    ) AS o
    LEFT JOIN known AS l USING (batch)
)
SELECT nullif(generation, 0) AS generation, partition, "offset", count(*) AS places
FROM places
GROUP BY ALL
HAVING count(*) > 1
UNION ALL
SELECT nullif(o.generation, 0), o.partition, o."offset", 0
FROM origins AS o
LEFT JOIN spans AS s
    ON s.generation = o.generation AND s.batch = o.batch AND s.partition = o.partition
        AND o."offset" >= s.begin_offset AND o."offset" < s.end_offset
WHERE s.batch IS NULL
UNION ALL
SELECT says, partition, "offset", 0 FROM places WHERE is_elsewhere
UNION ALL
SELECT nullif(generation, 0), partition, "offset", 0
FROM retried
ANTI JOIN places USING (generation, partition, "offset", batch, kind)
ANTI JOIN (
    SELECT partition, batch, 1::UTINYINT AS kind FROM ledger.removed WHERE place = 'duplicates'
) AS removed USING (partition, batch, kind);
