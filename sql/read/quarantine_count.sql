-- How many quarantine entries are wanted. Input: the condition `wanted` (quarantine_wanted.sql). Output: records.
SELECT count(*) AS records FROM lake.loader.quarantine WHERE {{ wanted }};
