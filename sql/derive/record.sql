-- Note how a derived table is made from this change on. Parameters: pipeline, table, digest, seq.
INSERT INTO lake.loader.derived VALUES (?, ?, ?, ?, 0);
