-- Note which topic a pipeline loads from now on.
-- Parameters: pipeline, generation, batch (NULL for the first topic), target, cluster_id, topic, topic_id, partitions.
INSERT INTO lake.loader.topics VALUES (?, ?, ?, ?, ?, ?, ?, ?);
