-- Write files of one table anew that consist mostly of deleted rows. Output: schema, table, files read, files made.
CALL ducklake_rewrite_data_files('lake', {{ table | text }}, schema => {{ schema | text }}, delete_threshold => 0.5);
