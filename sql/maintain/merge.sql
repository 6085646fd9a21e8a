-- Merge neighbouring small files of one table into one file of the target size: a bite, so that loads wait
-- a moment only. Old snapshots stay readable. Output: schema, table, files merged, files made; no row when done.
CALL ducklake_merge_adjacent_files('lake', {{ table | text }}, schema => {{ schema | text }}, max_compacted_files => 1);
