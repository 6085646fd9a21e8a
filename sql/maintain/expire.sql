-- Forget some snapshots. Files that only they need are put on the list of files to delete, with the time of now.
CALL ducklake_expire_snapshots('lake', versions => [{{ versions | join(', ') }}]);
