-- Attach a DuckDB file as `lake`. With row groups of the usual 122,880 rows DuckDB would write most rows a
-- second time when it closes the file, to merge the remainders of the batches.
ATTACH {{ address | text }} AS lake (TYPE duckdb, ROW_GROUP_SIZE 30720{% if read_only %}, READ_ONLY{% endif %});
