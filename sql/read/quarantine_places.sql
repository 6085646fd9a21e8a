-- The positions of quarantine entries, and how much there is to read of each.
-- Input: the condition `wanted` (quarantine_wanted.sql). Output: partition, offset, bytes.
SELECT
    partition, "offset", coalesce(octet_length(coalesce(edited, value)), 0) + coalesce(octet_length(key), 0) AS bytes
FROM lake.loader.quarantine
WHERE {{ wanted }}
ORDER BY partition, "offset";
