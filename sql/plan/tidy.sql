-- Open the catalogue once with the right to write and close it again: SQLite then removes the two files beside it
-- (-wal, -shm) that a read-only look has made and may not remove, unless another process uses them.
ATTACH {{ file | text }} AS catalogue (TYPE sqlite);
SELECT count(*) FROM catalogue.ducklake_snapshot;
DETACH catalogue;
