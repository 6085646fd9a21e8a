-- Quarantine entries, in the order in which they were refused. Input: the condition `wanted` (quarantine_wanted.sql).
-- Parameters: those of the condition, most.
-- Output: generation, partition, offset, kafka_time (ISO, UTC), id, state, edited, batch, changed_by, bytes, reasons (JSON).
SELECT
    generation, partition, "offset", strftime(kafka_time, '%Y-%m-%dT%H:%M:%SZ') AS kafka_time, id, state, edited IS NOT NULL AS edited,
    batch, changed_by, octet_length(value) AS bytes, reasons
FROM lake.loader.quarantine
WHERE {{ wanted }}
ORDER BY batch, partition, "offset"
LIMIT $most;
