-- Note that the topic has more partitions now. Parameters: partitions, pipeline.
UPDATE lake.loader.topics SET partitions = ? WHERE pipeline = ?;
