-- Note that a derived table was made anew, perhaps after it was dropped; the mark of what was sent stays.
-- Parameters: digest, seq, pipeline, table. The count is 0 for a table that never was.
UPDATE lake.loader.derived SET digest = ?, seq = ? WHERE pipeline = ? AND name = ?;
