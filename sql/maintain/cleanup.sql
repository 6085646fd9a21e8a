-- Delete files that were put on the list of files to delete on the day of `before` or earlier. Output: path.
-- Repeating it after a kill is harmless.
CALL ducklake_cleanup_old_files('lake', older_than => TIMESTAMPTZ {{ before | text }}, dry_run => {{ dry_run }});
