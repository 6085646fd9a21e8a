-- How many files of the newest snapshot are smaller than half of the target. Parameters: bytes. Output: count.
SELECT count(*) FROM __ducklake_metadata_lake.ducklake_data_file
WHERE end_snapshot IS NULL AND file_size_bytes < $bytes / 2;
