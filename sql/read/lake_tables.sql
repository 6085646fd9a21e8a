-- The tables of the lake. Output: schema_name, table_name.
SELECT schema_name, table_name FROM duckdb_tables()
WHERE database_name = 'lake' AND schema_name IN ('main', 'loader')
ORDER BY ALL;
