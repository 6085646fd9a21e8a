-- Snapshots that are older than wanted, never the newest one. Parameters: before, most. Output: snapshot_id.
SELECT snapshot_id FROM __ducklake_metadata_lake.ducklake_snapshot
WHERE CAST(snapshot_time AS TIMESTAMPTZ) < CAST($before AS TIMESTAMPTZ)
    AND snapshot_id < (SELECT max(snapshot_id) FROM __ducklake_metadata_lake.ducklake_snapshot)
ORDER BY snapshot_id
LIMIT $most;
