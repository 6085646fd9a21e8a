-- Remove the quarantine entries that were counted; never an open one. Parameters: pipeline, upto (a retry or drop).
DELETE FROM lake.loader.quarantine WHERE pipeline = $pipeline AND state <> 'open' AND changed_by <= $upto;
