-- The columns of the target table as they are. Output: name, type; nothing where there is no table.
SELECT column_name, data_type
FROM duckdb_columns()
WHERE database_name = 'lake' AND schema_name = 'main' AND lower(table_name) = lower(?)
ORDER BY column_index;
