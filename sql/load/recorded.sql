-- The identity of the pipeline's topic as recorded at its first start. Parameters: pipeline.
-- Output: cluster_id, topic, topic_id, partitions, target.
SELECT cluster_id, topic, topic_id, partitions, target FROM lake.loader.topics WHERE pipeline = ?;
