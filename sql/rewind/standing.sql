-- Where each partition began and stands. Parameters: pipeline. Output: partition, baseline, committed.
SELECT partition, baseline, next_offset AS committed FROM lake.loader.offsets WHERE pipeline = ? ORDER BY partition;
