-- Note that the topic has more partitions now. Parameters: partitions, pipeline, generation.
UPDATE lake.loader.topics SET partitions = ? WHERE pipeline = ? AND generation = ?;
