-- The tables of the lake, materialised analytics included. Output: schema_name, table_name.
SELECT schema_name, table_name FROM duckdb_tables()
WHERE database_name = 'lake'
ORDER BY ALL;
