-- Files below the data folder that no catalogue entry names and that were last written before `before`. Output: path.
CALL ducklake_delete_orphaned_files('lake', older_than => TIMESTAMPTZ {{ before | text }}, dry_run => true);
