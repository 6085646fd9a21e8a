-- The derived tables of the pipeline as they were made, without those that were dropped. Parameters: pipeline.
-- Output: table, digest.
SELECT name, digest FROM lake.loader.derived WHERE pipeline = ? AND digest <> '' ORDER BY name;
