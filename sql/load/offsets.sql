-- The committed offset of every partition of the pipeline. Parameters: pipeline.
-- Output: partition, next_offset, leader_epoch.
SELECT partition, next_offset, leader_epoch FROM lake.loader.offsets WHERE pipeline = ? ORDER BY partition;
