-- Make a Parquet file part of a lake table, inside the batch's transaction. `parted`: the names of its folders say
-- what it holds, which DuckLake demands of a table with partitions.
CALL ducklake_add_data_files('lake', {{ table | text }}, {{ file | text }}, schema => {{ schema | text }}{% if parted %}, hive_partitioning => true{% endif %});
