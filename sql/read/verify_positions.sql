-- Check 4: no position stands in two places, and none lies outside the spans of its batch. What a retry took out of
-- quarantine stands where it became: as a row or a duplicate of that retry, inside a span of the batch that refused it.
-- What was undone stands nowhere.
-- Parameters: pipeline. Output: partition, offset, places; no row when all is well.
WITH places AS (  -- kind: 0 a row, 1 a duplicate, 2 refused
    SELECT _partition AS partition, _offset AS "offset", _batch AS batch, 0::UTINYINT AS kind FROM lake.main.{{ table | ident }}
    UNION ALL
    SELECT partition, "offset", batch, 1::UTINYINT FROM lake.loader.duplicates WHERE pipeline = $pipeline
    UNION ALL
    SELECT partition, "offset", batch, 2::UTINYINT FROM lake.loader.quarantine
    WHERE pipeline = $pipeline AND state NOT IN ('loaded', 'duplicate')
),
retried AS (
    SELECT partition, "offset", batch AS refused_by, changed_by AS batch, (state = 'duplicate')::UTINYINT AS kind
    FROM lake.loader.quarantine
    WHERE pipeline = $pipeline AND state IN ('loaded', 'duplicate')
),
origins AS (
    SELECT partition, "offset", coalesce(r.refused_by, p.batch) AS batch
    FROM places AS p
    LEFT JOIN retried AS r USING (partition, "offset", batch, kind)
)
SELECT partition, "offset", count(*) AS places FROM places GROUP BY ALL HAVING count(*) > 1
UNION ALL
SELECT o.partition, o."offset", 0
FROM origins AS o
LEFT JOIN lake.loader.spans AS s
    ON s.pipeline = $pipeline AND s.batch = o.batch AND s.partition = o.partition AND s.voided_by IS NULL
WHERE s.batch IS NULL OR o."offset" < s.begin_offset OR o."offset" >= s.end_offset
UNION ALL
SELECT partition, "offset", 0
FROM retried
ANTI JOIN places USING (partition, "offset", batch, kind);
