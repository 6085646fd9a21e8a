-- Fields that no column took: since when, and in how many of the records that were looked at since then.
-- Parameters: pipeline. Output: field, partition, offset, first_seen, records, looked_at; the most frequent first.
WITH seen AS (
    SELECT batch, looked_at,
        unnest(from_json(unknown_fields, '[{"field":"VARCHAR","records":"BIGINT","partition":"INTEGER","offset":"BIGINT"}]')) AS f
    FROM lake.loader.batches
    WHERE pipeline = $pipeline AND unknown_fields IS NOT NULL
),
fields AS (
    SELECT f.field AS field, min(batch) AS since, sum(f.records) AS records,
        arg_min(f.partition, batch) AS partition, arg_min(f."offset", batch) AS "offset"
    FROM seen
    GROUP BY f.field
)
SELECT field, partition, "offset", strftime(min(b.committed_at) FILTER (WHERE b.batch = since), '%Y-%m-%dT%H:%M:%SZ') AS first_seen,
    CAST(any_value(records) AS BIGINT) AS records, CAST(sum(b.looked_at) AS BIGINT) AS looked_at
FROM fields
JOIN lake.loader.batches AS b ON b.pipeline = $pipeline AND b.batch >= since
GROUP BY field, partition, "offset"
ORDER BY records DESC, field
LIMIT 1000;
