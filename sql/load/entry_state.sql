-- State and generation of a quarantine entry. Parameters: pipeline, partition, offset, generation (NULL: the one in force).
-- Output: state, generation, or nothing.
SELECT state, generation
FROM lake.loader.quarantine
WHERE pipeline = $pipeline AND partition = $partition AND "offset" = $offset
    AND generation = coalesce($generation, (SELECT max(generation) FROM lake.loader.topics WHERE pipeline = $pipeline));
