-- Check 3: what stands in the tables is what the ledger says, per batch and partition.
-- Parameters: pipeline. Output: place, batch, partition, found, expected; no row when all is well.
WITH found AS (
    SELECT 'loaded' AS place, _batch AS batch, _partition AS partition, count(*) AS records
    FROM lake.main.{{ table | ident }} GROUP BY ALL
    UNION ALL
    SELECT 'quarantined', batch, partition, count(*)
    FROM lake.loader.quarantine WHERE pipeline = $pipeline GROUP BY ALL
    UNION ALL
    SELECT 'duplicates', batch, partition, count(*)
    FROM lake.loader.duplicates WHERE pipeline = $pipeline GROUP BY ALL
),
expected AS (
    UNPIVOT (SELECT batch, partition, loaded, quarantined, duplicates FROM lake.loader.spans WHERE pipeline = $pipeline)
    ON loaded, quarantined, duplicates INTO NAME place VALUE records
)
SELECT place, batch, partition, coalesce(f.records, 0) AS found, coalesce(e.records, 0) AS expected
FROM found AS f
FULL JOIN (FROM expected WHERE records > 0) AS e USING (place, batch, partition)
WHERE coalesce(f.records, 0) <> coalesce(e.records, 0);
