-- Where each partition of the topic in force began and stands. Parameters: pipeline.
-- Output: partition, baseline, committed, generation.
SELECT partition, baseline, next_offset AS committed, generation
FROM lake.loader.offsets
WHERE pipeline = $pipeline AND generation = (SELECT max(generation) FROM lake.loader.topics WHERE pipeline = $pipeline)
ORDER BY partition;
