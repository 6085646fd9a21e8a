-- Check 4: no position stands in two places, and none lies outside the spans of its batch. What a retry took out of
-- quarantine stands where it became: as a row or a duplicate of that retry, inside a span of the batch that refused it.
-- Parameters: pipeline. Output: partition, offset, places; no row when all is well.
WITH places AS (
    SELECT _partition AS partition, _offset AS "offset", _batch AS batch, 'loaded' AS state FROM lake.main.{{ table | ident }}
    UNION ALL
    SELECT partition, "offset", batch, 'refused' FROM lake.loader.quarantine
    WHERE pipeline = $pipeline AND state NOT IN ('loaded', 'duplicate')
    UNION ALL
    SELECT partition, "offset", batch, 'duplicate' FROM lake.loader.duplicates WHERE pipeline = $pipeline
),
retried AS (
    SELECT partition, "offset", batch, changed_by, state FROM lake.loader.quarantine
    WHERE pipeline = $pipeline AND state IN ('loaded', 'duplicate')
),
origins AS (
    SELECT p.partition, p."offset", coalesce(r.batch, p.batch) AS batch
    FROM places AS p
    LEFT JOIN retried AS r
        ON r.partition = p.partition AND r."offset" = p."offset" AND r.changed_by = p.batch AND r.state = p.state
)
SELECT partition, "offset", count(*) AS places FROM places GROUP BY ALL HAVING count(*) > 1
UNION ALL
SELECT o.partition, o."offset", 0
FROM origins AS o
LEFT JOIN lake.loader.spans AS s
    ON s.pipeline = $pipeline AND s.batch = o.batch AND s.partition = o.partition
WHERE s.batch IS NULL OR o."offset" < s.begin_offset OR o."offset" >= s.end_offset
UNION ALL
SELECT r.partition, r."offset", 0
FROM retried AS r
ANTI JOIN places AS p
    ON r.partition = p.partition AND r."offset" = p."offset" AND r.changed_by = p.batch AND r.state = p.state;
