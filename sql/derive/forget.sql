-- Forget a derived table. Parameters: pipeline, table.
DELETE FROM lake.loader.derived WHERE pipeline = ? AND name = ?;
