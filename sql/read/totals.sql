-- The counts of everything the pipeline has committed. Parameters: pipeline.
-- Output: batches, consumed, loaded, duplicates, quarantined, skipped, holes.
SELECT
    count(*) AS batches,
    coalesce(sum(consumed), 0)::BIGINT AS consumed,
    coalesce(sum(loaded), 0)::BIGINT AS loaded,
    coalesce(sum(duplicates), 0)::BIGINT AS duplicates,
    coalesce(sum(quarantined), 0)::BIGINT AS quarantined,
    coalesce(sum(skipped), 0)::BIGINT AS skipped,
    coalesce(sum(holes), 0)::BIGINT AS holes
FROM lake.loader.batches
WHERE pipeline = $pipeline;
