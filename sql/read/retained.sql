-- What retention has removed so far. Parameters: pipeline.
-- Output: offsets (whose spans are folded), quarantined, duplicates (records).
SELECT
    (SELECT coalesce(sum(end_offset - begin_offset), 0)::BIGINT FROM lake.loader.folded WHERE pipeline = $pipeline) AS offsets,
    coalesce(sum(records) FILTER (WHERE place = 'quarantined'), 0)::BIGINT AS quarantined,
    coalesce(sum(records) FILTER (WHERE place = 'duplicates'), 0)::BIGINT AS duplicates
FROM lake.loader.removed
WHERE pipeline = $pipeline;
