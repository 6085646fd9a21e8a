-- Another pipeline that loads into the same table. Parameters: target, pipeline. Output: pipeline.
SELECT pipeline FROM lake.loader.topics WHERE lower(target) = lower(?) AND pipeline <> ?;
