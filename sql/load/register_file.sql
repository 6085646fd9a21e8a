-- Make a Parquet file part of a lake table, inside the batch's transaction.
CALL ducklake_add_data_files('lake', {{ table | text }}, {{ file | text }}, schema => {{ schema | text }});
