-- Quarantine entries, whole. Input: the condition `wanted` (quarantine_wanted.sql).
-- Output: partition, offset, timestamp, key, value (edited, where it was), headers (JSON), id, state, reasons (JSON),
-- batch, is_edited, original (where it was edited).
SELECT
    partition, "offset", kafka_time AS timestamp, key, coalesce(edited, value) AS value, headers, id, state, reasons, batch,
    edited IS NOT NULL AS is_edited, CASE WHEN edited IS NOT NULL THEN value END AS original
FROM lake.loader.quarantine
WHERE {{ wanted }}
ORDER BY generation, partition, "offset";
