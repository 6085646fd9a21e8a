-- How many quarantine entries there are in each state. Parameters: pipeline. Output: state, records.
SELECT state, count(*) AS records FROM lake.loader.quarantine WHERE pipeline = $pipeline GROUP BY state ORDER BY state;
