-- Write rows into a Parquet file of our own, which the lake will only register. Nothing here syncs
-- it to disk: the caller does, before COMMIT.
COPY ({{ rows }}) TO {{ file | text }} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PARQUET_VERSION v2, ROW_GROUP_SIZE 122880, DICTIONARY_SIZE_LIMIT 4000);
