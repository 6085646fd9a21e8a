-- The batches that have added rows, with their places in the order of commits. Output: batch, seq.
SELECT batch, seq FROM lake.loader.batches
WHERE pipeline = {{ pipeline | text }} AND kind IN ('load', 'retry') AND loaded > 0
