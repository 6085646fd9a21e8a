-- The derived tables of the pipeline as they were made. Parameters: pipeline. Output: table, digest.
SELECT name, digest FROM lake.loader.derived WHERE pipeline = ? ORDER BY name;
