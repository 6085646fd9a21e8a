-- The tables that have files with deleted rows. Output: schema_name, table_name.
SELECT DISTINCT s.schema_name, t.table_name
FROM __ducklake_metadata_lake.ducklake_delete_file AS d
JOIN __ducklake_metadata_lake.ducklake_table AS t ON t.table_id = d.table_id AND t.end_snapshot IS NULL
JOIN __ducklake_metadata_lake.ducklake_schema AS s ON s.schema_id = t.schema_id AND s.end_snapshot IS NULL
WHERE d.end_snapshot IS NULL
ORDER BY ALL;
