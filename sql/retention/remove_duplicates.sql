-- Remove the duplicates that were counted. Parameters: pipeline, upto (a batch).
DELETE FROM lake.loader.duplicates WHERE pipeline = $pipeline AND batch <= $upto;
