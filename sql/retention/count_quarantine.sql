-- Count the quarantine entries that are about to be removed. Parameters: pipeline, upto (a retry or drop).
INSERT INTO lake.loader.removed
SELECT pipeline, generation, 'quarantined', batch, partition, state, changed_by, max("offset") + 1, count(*)
FROM lake.loader.quarantine
WHERE pipeline = $pipeline AND state <> 'open' AND changed_by <= $upto
GROUP BY pipeline, generation, batch, partition, state, changed_by;
