-- Where everything that the pipeline has consumed stands now: the counts of all loads but what was undone,
-- with each record that a retry took out of quarantine in its new place. Dropped records stay in quarantine.
-- Parameters: pipeline. Output: batches, consumed, loaded, duplicates, quarantined, skipped, holes.
WITH retried AS (
    SELECT
        count(*) FILTER (WHERE state = 'loaded') AS loaded, count(*) FILTER (WHERE state = 'duplicate') AS duplicates,
        count(*) FILTER (WHERE state = 'skipped') AS skipped
    FROM lake.loader.quarantine
    WHERE pipeline = $pipeline AND state IN ('loaded', 'duplicate', 'skipped')
)
SELECT
    count(DISTINCT b.batch) AS batches,
    coalesce(sum(b.consumed), 0)::BIGINT AS consumed,
    coalesce(sum(b.loaded), 0)::BIGINT + any_value(r.loaded) AS loaded,
    coalesce(sum(b.duplicates), 0)::BIGINT + any_value(r.duplicates) AS duplicates,
    coalesce(sum(b.quarantined), 0)::BIGINT - any_value(r.loaded + r.duplicates + r.skipped) AS quarantined,
    coalesce(sum(b.skipped), 0)::BIGINT + any_value(r.skipped) AS skipped,
    coalesce(sum(b.holes), 0)::BIGINT AS holes
FROM retried AS r
LEFT JOIN lake.loader.spans AS b ON b.pipeline = $pipeline AND b.voided_by IS NULL;
