-- Whether this is a warehouse of the loader already. Output: count of 0 or 1.
SELECT count(*) FROM duckdb_tables()
WHERE database_name = 'lake' AND schema_name = 'loader' AND table_name = 'migrations';
