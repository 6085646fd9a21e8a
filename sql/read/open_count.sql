-- How many quarantine entries are open. Parameters: pipeline. Output: records.
SELECT count(*) AS records FROM lake.loader.quarantine WHERE pipeline = $pipeline AND state = 'open';
