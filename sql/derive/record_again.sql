-- Note that a derived table was made anew. Parameters: digest, seq, pipeline, table. The count is 0 for a new one.
UPDATE lake.loader.derived SET digest = ?, seq = ? WHERE pipeline = ? AND name = ?;
