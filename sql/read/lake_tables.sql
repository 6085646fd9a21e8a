-- The tables of the lake that have files, materialised analytics included. Output: schema_name, table_name.
SELECT s.schema_name, t.table_name
FROM __ducklake_metadata_lake.ducklake_table AS t
JOIN __ducklake_metadata_lake.ducklake_schema AS s USING (schema_id)
WHERE t.end_snapshot IS NULL AND s.end_snapshot IS NULL
    AND t.table_id IN (SELECT table_id FROM __ducklake_metadata_lake.ducklake_data_file WHERE end_snapshot IS NULL)
ORDER BY ALL;
