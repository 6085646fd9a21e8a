-- The committed offset of every partition of the pipeline's topic. Parameters: pipeline.
-- Output: partition, next_offset, leader_epoch, generation (that is in force).
SELECT partition, next_offset, leader_epoch, generation
FROM lake.loader.offsets
WHERE pipeline = $pipeline
QUALIFY generation = max(generation) OVER ()
ORDER BY partition;
