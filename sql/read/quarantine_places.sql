-- The positions of quarantine entries, and how much there is to read of each.
-- Input: the condition `wanted` (quarantine_wanted.sql). Output: generation, partition, offset, bytes.
SELECT
    generation, partition, "offset",
    coalesce(octet_length(value), 0) + coalesce(octet_length(edited), 0) + coalesce(octet_length(key), 0)
        + coalesce(strlen(headers), 0) + strlen(reasons) AS bytes
FROM lake.loader.quarantine
WHERE {{ wanted }}
ORDER BY generation, partition, "offset";
