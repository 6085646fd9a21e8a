-- Attach a DuckDB file as `lake`.
ATTACH {{ address | text }} AS lake (TYPE duckdb{% if read_only %}, READ_ONLY{% endif %});
