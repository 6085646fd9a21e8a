-- Functions whose value is not decided by their arguments alone. Output: name.
SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT';
