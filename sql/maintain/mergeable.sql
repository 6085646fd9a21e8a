-- The tables with at least two files below the target size, and how many files merging them gives at most.
-- Parameters: bytes. Output: schema_name, table_name, bites.
SELECT s.schema_name, t.table_name, ceil(sum(d.file_size_bytes) / $bytes)::BIGINT + 1 AS bites
FROM __ducklake_metadata_lake.ducklake_data_file AS d
JOIN __ducklake_metadata_lake.ducklake_table AS t ON t.table_id = d.table_id AND t.end_snapshot IS NULL
JOIN __ducklake_metadata_lake.ducklake_schema AS s ON s.schema_id = t.schema_id AND s.end_snapshot IS NULL
WHERE d.end_snapshot IS NULL AND d.file_size_bytes < $bytes
GROUP BY ALL
HAVING count(*) > 1
ORDER BY ALL;
