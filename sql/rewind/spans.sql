-- The spans that reach behind the place that a partition is rewound to. Of one that is cut there, what of it lies
-- before the place, by the tables and what retention removed; skipped records and holes leave no trace there.
-- Input: relation `places` (partition, place). Output: batch, partition, place, begin_offset, end_offset, consumed,
-- loaded, duplicates, quarantined, skipped, holes, kept_loaded, kept_duplicates, kept_quarantined.
WITH hit AS (
    SELECT s.* EXCLUDE (pipeline, generation, voided_by, cut_by), p.place
    FROM lake.loader.spans AS s
    JOIN places AS p ON p.partition = s.partition
    WHERE s.pipeline = {{ pipeline | text }} AND s.generation = {{ generation }} AND s.voided_by IS NULL AND s.end_offset > p.place
),
found AS (
    SELECT _batch AS batch, _partition AS partition, _offset AS "offset", 'loaded' AS state, 1 AS records FROM lake.main.{{ table | ident }}
    UNION ALL
    SELECT batch, partition, "offset", 'duplicates', 1 FROM lake.loader.duplicates WHERE pipeline = {{ pipeline | text }}
    UNION ALL
    SELECT batch, partition, "offset", 'quarantined', 1 FROM lake.loader.quarantine WHERE pipeline = {{ pipeline | text }}
    UNION ALL
    SELECT batch, partition, end_offset - 1, place, records FROM lake.loader.removed WHERE pipeline = {{ pipeline | text }}
),
kept AS (
    SELECT
        h.partition, sum(f.records) FILTER (WHERE f.state = 'loaded')::BIGINT AS kept_loaded,
        sum(f.records) FILTER (WHERE f.state = 'duplicates')::BIGINT AS kept_duplicates,
        sum(f.records) FILTER (WHERE f.state = 'quarantined')::BIGINT AS kept_quarantined
    FROM hit AS h
    JOIN found AS f ON f.batch = h.batch AND f.partition = h.partition
    WHERE h.begin_offset < h.place AND f."offset" < h.place
    GROUP BY h.partition
)
SELECT
    h.*, coalesce(k.kept_loaded, 0) AS kept_loaded, coalesce(k.kept_duplicates, 0) AS kept_duplicates,
    coalesce(k.kept_quarantined, 0) AS kept_quarantined
FROM hit AS h
LEFT JOIN kept AS k ON k.partition = h.partition AND h.begin_offset < h.place
ORDER BY h.partition, h.begin_offset;
