-- Quarantine entries, oldest first. Parameters: pipeline, state (or NULL), reason (or NULL, part of
-- the text), partition (or NULL), most.
-- Output: partition, offset, kafka_time (ISO, UTC), id, state, batch, bytes, reasons (JSON).
SELECT
    partition, "offset", strftime(kafka_time, '%Y-%m-%dT%H:%M:%SZ') AS kafka_time, id, state, batch,
    octet_length(value) AS bytes, reasons
FROM lake.loader.quarantine
WHERE pipeline = $pipeline
    AND ($state IS NULL OR state = $state)
    AND ($partition IS NULL OR partition = $partition)
    AND ($reason IS NULL OR list_contains(
        list_transform(from_json(reasons, '[{"column":"VARCHAR","rule":"VARCHAR"}]'),
            lambda r: concat_ws(': ', nullif(r.column, ''), r.rule)), $reason))
ORDER BY batch, partition, "offset"
LIMIT $most;
