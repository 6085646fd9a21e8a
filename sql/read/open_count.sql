-- How many quarantine entries are open. Parameters: pipeline. Output: records.
SELECT count(*) FROM lake.loader.quarantine WHERE pipeline = $pipeline AND state = 'open';
