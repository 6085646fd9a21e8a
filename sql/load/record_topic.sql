-- Note which topic a new pipeline loads. Parameters: pipeline, target, cluster_id, topic, topic_id, partitions.
INSERT INTO lake.loader.topics VALUES (?, ?, ?, ?, ?, ?);
