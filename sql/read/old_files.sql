-- How many files only old snapshots or open readers can still need: `loader maintain` deletes them in time.
-- Output: files.
SELECT (SELECT count(*) FROM __ducklake_metadata_lake.ducklake_files_scheduled_for_deletion)
    + (SELECT count(*) FROM __ducklake_metadata_lake.ducklake_data_file WHERE end_snapshot IS NOT NULL)
    + (SELECT count(*) FROM __ducklake_metadata_lake.ducklake_delete_file WHERE end_snapshot IS NOT NULL) AS files;
