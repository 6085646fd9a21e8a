-- The state of a quarantine entry. Parameters: pipeline, partition, offset. Output: state, or nothing.
SELECT state FROM lake.loader.quarantine WHERE pipeline = ? AND partition = ? AND "offset" = ?;
