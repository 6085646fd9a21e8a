-- How often entries were edited, retried, dropped or rewound since the head was at a number. Parameters: seq.
SELECT count(*) FROM lake.loader.batches WHERE pipeline = {{ pipeline | text }} AND kind NOT IN ('load', 'accept', 'topic') AND seq > ?;
