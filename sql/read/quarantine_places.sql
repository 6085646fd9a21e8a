-- The positions of quarantine entries, and how much there is to read of each.
-- Input: the condition `wanted` (quarantine_wanted.sql). Output: generation, partition, offset, bytes.
SELECT
    generation, partition, "offset",
    coalesce(octet_length(coalesce(edited, value)), 0) + coalesce(octet_length(key), 0) AS bytes
FROM lake.loader.quarantine
WHERE {{ wanted }}
ORDER BY generation, partition, "offset";
