-- The size of the lake as the catalogue knows it. Output: files, bytes (of the newest snapshot), snapshots.
SELECT
    coalesce(sum(file_count + delete_file_count), 0)::BIGINT AS files,
    coalesce(sum(file_size_bytes + delete_file_size_bytes), 0)::BIGINT AS bytes,
    (SELECT count(*) FROM __ducklake_metadata_lake.ducklake_snapshot) AS snapshots
FROM ducklake_table_info('lake');
