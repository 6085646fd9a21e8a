-- Check 4: no position stands in two places, and none lies outside the spans of its batch.
-- Parameters: pipeline. Output: partition, offset, places; no row when all is well.
WITH places AS (
    SELECT _partition AS partition, _offset AS "offset", _batch AS batch FROM lake.main.{{ table | ident }}
    UNION ALL
    SELECT partition, "offset", batch FROM lake.loader.quarantine WHERE pipeline = $pipeline AND state = 'open'
    UNION ALL
    SELECT partition, "offset", batch FROM lake.loader.duplicates WHERE pipeline = $pipeline
)
SELECT partition, "offset", count(*) AS places FROM places GROUP BY ALL HAVING count(*) > 1
UNION ALL
SELECT p.partition, p."offset", 0
FROM places AS p
LEFT JOIN lake.loader.spans AS s
    ON s.pipeline = $pipeline AND s.batch = p.batch AND s.partition = p.partition
WHERE s.batch IS NULL OR p."offset" < s.begin_offset OR p."offset" >= s.end_offset;
