-- The tables with at least two files of one partition below the target size, and how many files merging them gives
-- at most: DuckLake merges within partitions. Parameters: bytes. Output: schema_name, table_name, bites.
WITH places AS (
    SELECT data_file_id, string_agg(coalesce(partition_value, ''), '/' ORDER BY partition_key_index) AS place
    FROM __ducklake_metadata_lake.ducklake_file_partition_value
    GROUP BY data_file_id
),
small AS (
    SELECT d.table_id, ceil(sum(d.file_size_bytes) / $bytes)::BIGINT + 1 AS bites
    FROM __ducklake_metadata_lake.ducklake_data_file AS d
    LEFT JOIN places AS p ON p.data_file_id = d.data_file_id
    WHERE d.end_snapshot IS NULL AND d.file_size_bytes < $bytes
    GROUP BY d.table_id, d.partition_id, p.place
    HAVING count(*) > 1
)
SELECT s.schema_name, t.table_name, sum(small.bites)::BIGINT AS bites
FROM small
JOIN __ducklake_metadata_lake.ducklake_table AS t ON t.table_id = small.table_id AND t.end_snapshot IS NULL
JOIN __ducklake_metadata_lake.ducklake_schema AS s ON s.schema_id = t.schema_id AND s.end_snapshot IS NULL
GROUP BY ALL
ORDER BY ALL;
