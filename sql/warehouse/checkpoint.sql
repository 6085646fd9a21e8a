-- Move everything from the write-ahead log into the DuckDB file, so that the file alone is whole.
CHECKPOINT lake;
