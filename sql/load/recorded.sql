-- The identity of the pipeline's topic as it was recorded, of the generation in force. Parameters: pipeline.
-- Output: cluster_id, topic, topic_id, partitions, target, generation.
SELECT cluster_id, topic, topic_id, partitions, target, generation
FROM lake.loader.topics
WHERE pipeline = ?
ORDER BY generation DESC
LIMIT 1;
