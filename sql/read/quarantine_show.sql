-- One quarantine entry, whole. Parameters: pipeline, partition, offset.
-- Output: partition, offset, kafka_time (ISO, UTC), id, state, batch, key, value, headers, reasons (JSON).
SELECT
    partition, "offset", strftime(kafka_time, '%Y-%m-%dT%H:%M:%S.%gZ') AS kafka_time, id, state, batch, key, value,
    headers, reasons
FROM lake.loader.quarantine
WHERE pipeline = $pipeline AND partition = $partition AND "offset" = $offset;
