-- Count the duplicates that are about to be removed. Parameters: pipeline, upto (a batch).
INSERT INTO lake.loader.removed
SELECT pipeline, generation, 'duplicates', batch, partition, '', 0, max("offset") + 1, count(*)
FROM lake.loader.duplicates
WHERE pipeline = $pipeline AND batch <= $upto
GROUP BY pipeline, generation, batch, partition;
