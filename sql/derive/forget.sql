-- Forget how a derived table is made: it is dropped. The row stays, without a digest, for its mark: what was sent must not
-- be sent again when the table returns. Parameters: pipeline, table.
UPDATE lake.loader.derived SET digest = '' WHERE pipeline = ? AND name = ?;
