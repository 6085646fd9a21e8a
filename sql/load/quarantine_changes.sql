-- How often entries were edited, retried or dropped since the head was at a number. Parameters: seq.
SELECT count(*) FROM lake.loader.batches WHERE pipeline = {{ pipeline | text }} AND kind <> 'load' AND seq > ?;
