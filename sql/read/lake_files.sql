-- The files that the catalogue names for one table. Output: data_file, delete_file.
SELECT data_file, delete_file FROM ducklake_list_files('lake', {{ table | text }}, schema => {{ schema | text }});
